import type { PreferenceRules } from '../domain/preferences.ts';
import type { CursorCodec } from '../security/cursor.ts';
import type { Endpoint } from './endpoint.ts';
import { docsEndpoints } from './endpoints/docs.ts';
import { type HealthDeps, healthEndpoints } from './endpoints/health.ts';
import { historyEndpoints } from './endpoints/history.ts';
import { meEndpoints } from './endpoints/me.ts';
import { meExportEndpoints } from './endpoints/me-export.ts';
import { transferEndpoints } from './endpoints/transfer.ts';
import { userListEndpoints } from './endpoints/user-list.ts';
import { userEndpoints } from './endpoints/users.ts';

/** What the endpoints need to know of the world. */
export interface EndpointDeps extends HealthDeps {
  readonly preferenceRules: PreferenceRules;
  readonly cursors: CursorCodec;
}

/** The route table: every endpoint that there is. */
export function endpoints(deps: EndpointDeps): Endpoint[] {
  const table = [
    ...healthEndpoints(deps),
    ...meEndpoints(deps.preferenceRules),
    ...meExportEndpoints(),
    ...userListEndpoints(deps),
    // Before those of one account: `export` is no id.
    ...transferEndpoints(deps.preferenceRules),
    ...userEndpoints(deps.preferenceRules),
    ...historyEndpoints(deps.preferenceRules, deps.cursors),
  ];
  return [...table, ...docsEndpoints(table)];
}
