import type { AccessPolicy } from '../domain/access.ts';
import type { PreferenceRules } from '../domain/preferences.ts';
import type { Webhook } from '../domain/webhook.ts';
import type { CursorCodec } from '../security/cursor.ts';
import type { RefusedSignInCounter } from '../services/access/refused-sign-ins.ts';
import type { SendOptions } from '../services/webhooks/sender.ts';
import type { ReadConsoleFiles, ServeConsole } from './answer/served-console.ts';
import type { Endpoint } from './endpoint.ts';
import { accessEndpoints } from './endpoints/access.ts';
import { type ChangesDeps, changesEndpoints } from './endpoints/changes.ts';
import { consoleEndpoints } from './endpoints/console.ts';
import { docsEndpoints } from './endpoints/docs.ts';
import { type HealthDeps, healthEndpoints } from './endpoints/health.ts';
import { historyEndpoints } from './endpoints/history.ts';
import { identityEndpoints } from './endpoints/identities.ts';
import { meEndpoints } from './endpoints/me.ts';
import { meExportEndpoints } from './endpoints/me-export.ts';
import { serviceTokenEndpoints } from './endpoints/service-tokens.ts';
import { type SessionDeps, sessionDoors } from './endpoints/session.ts';
import { sessionEndpoints } from './endpoints/sessions.ts';
import { statisticsEndpoints } from './endpoints/statistics.ts';
import { type StatusDeps, statusEndpoints } from './endpoints/status.ts';
import { transferEndpoints } from './endpoints/transfer.ts';
import { userListEndpoints } from './endpoints/user-list.ts';
import { userEndpoints } from './endpoints/users.ts';
import { webhookEndpoints } from './endpoints/webhooks.ts';

/** What the console needs. */
export interface ConsoleDeps extends SessionDeps {
  readonly serve: ServeConsole;
}

/** What the endpoints need. */
export interface EndpointDeps extends HealthDeps, ChangesDeps, StatusDeps {
  readonly accessPolicy: AccessPolicy;
  readonly refusedSignIns: RefusedSignInCounter;
  readonly preferenceRules: PreferenceRules;
  readonly cursors: CursorCodec;
  readonly webhooks: readonly Webhook[];
  /** How test messages are sent to them. */
  readonly sending: SendOptions;
  /** The doors of the console, and its page and files; `undefined` where it is off. */
  readonly console: ConsoleDeps | undefined;
  /** Reads the files of the page at `/docs` too. */
  readonly readConsoleFiles: ReadConsoleFiles;
  /** The folder in which a build has the files of the page at `/docs`. */
  readonly filesFolder: string;
  /** In front of every path; empty: none. */
  readonly basePath: string;
}

/** The route table: every endpoint there is. */
export function endpoints(deps: EndpointDeps): Endpoint[] {
  const table = routes(deps);
  const pages = deps.console ? consoleEndpoints(deps.console.serve) : [];
  return [...table, ...pages, ...docsEndpoints([...table, ...pages], deps)];
}

/** An endpoint for programs, with the types of what it takes and answers. */
export type Route = ReturnType<typeof routes>[number];

function routes(deps: EndpointDeps) {
  return [
    ...healthEndpoints(deps),
    ...meEndpoints(deps.preferenceRules),
    ...meExportEndpoints(),
    ...userListEndpoints(deps),
    ...transferEndpoints(deps),
    ...userEndpoints(deps.preferenceRules),
    ...identityEndpoints(),
    ...historyEndpoints(deps.preferenceRules, deps.cursors),
    ...changesEndpoints(deps),
    ...statisticsEndpoints(),
    ...statusEndpoints(deps),
    ...webhookEndpoints(deps.webhooks, deps.sending),
    ...accessEndpoints(deps),
    ...serviceTokenEndpoints(),
    ...(deps.console ? [...sessionDoors(deps.console, deps.basePath), ...sessionEndpoints(deps)] : []),
  ];
}
