import type { z } from 'zod';
import type { Change, RecordedChange } from '../domain/change.ts';
import type { Account } from '../domain/user.ts';
import { accountRecord } from '../services/account-record.ts';
import { entityTag } from './entity-tag.ts';
import type { account } from './schemas/account.ts';
import type { change, dryRunChanges } from './schemas/change.ts';

/** An account as its owner and admins see it. Dates are ISO 8601, in UTC. */
export const accountView: (user: Account) => z.output<typeof account> = accountRecord;

/** An entry of the history as admins and whom it concerns see it. */
export function changeView(entry: Change): z.output<typeof change> {
  return { id: entry.id, ...recordedChangeView(entry) };
}

/** The same of an entry that has been taken back, and with it its id. */
export function recordedChangeView(recorded: RecordedChange): z.output<typeof dryRunChanges>[number] {
  const { actorId, actor, requestId, userId, action, before, after, version, undoes } = recorded;
  return {
    at: recorded.at.toISOString(),
    actorId,
    actor,
    requestId,
    userId,
    action,
    before,
    after,
    version,
    undoes,
    erasedAt: recorded.erasedAt?.toISOString() ?? null,
  };
}

/** The headers of an answer that shows one account. */
export function accountHeaders(user: Account): { ETag: string } {
  return { ETag: entityTag(user) };
}
