import type { z } from 'zod';
import type { Account, User } from '../domain/user.ts';
import { accountRecord } from '../services/account-record.ts';
import { entityTag } from './entity-tag.ts';
import type { account } from './schemas/account.ts';

/** An account as its owner and admins see it. Dates are ISO 8601, in UTC. */
export const accountView: (user: Account) => z.output<typeof account> = accountRecord;

/** The headers of an answer that shows one account. */
export function accountHeaders(user: User): { ETag: string } {
  return { ETag: entityTag(user) };
}
