import { isDeepStrictEqual } from 'node:util';
import type { EntityManager } from '@mikro-orm/postgresql';
import { parseExactly, rewritten } from './exact-json.ts';
import type { Replay, Report } from './replay.ts';

/** An account as it is kept: its times as ISO 8601 to the microsecond, its preferences as PostgreSQL writes them. */
export interface KeptAccount {
  readonly id: number;
  readonly email: string;
  readonly name: string | null;
  readonly role: string;
  readonly status: string;
  readonly storageMode: string;
  readonly preferences: string;
  readonly version: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** Holds an account against what its history adds up to; either may be missing. What does not fit is reported. */
export async function compareAccount(
  em: EntityManager,
  past: Replay | undefined,
  account: KeptAccount | undefined,
  report: Report,
): Promise<void> {
  const [expected, found] = [past?.exists ?? false, account !== undefined];
  if (expected !== found) report('exists', expected, found);
  if (past === undefined || account === undefined || expected !== found) return;
  if (past.isErased) return report('erased', false, true);

  const { state, version, createdAt, updatedAt } = past;
  for (const field of ['email', 'name', 'role', 'status', 'storageMode'] as const) {
    if (state[field] !== account[field]) report(field, state[field], account[field]);
  }
  if (version !== account.version) report('version', version, account.version);
  if (!isSameInstant(createdAt, account.createdAt)) report('createdAt', createdAt, account.createdAt);
  if (!isSameInstant(updatedAt, account.updatedAt)) report('updatedAt', updatedAt, account.updatedAt);

  const { preferences = {} } = state;
  if (isDeepStrictEqual(preferences, parseExactly(account.preferences))) return;
  // A number that was there before the history may be written in a way of its own, until the account is written again.
  const [row] = await em.execute<{ text: string }[]>('select ?::jsonb::text as text', [
    rewritten(preferences),
  ]);
  if (row?.text !== account.preferences) report('preferences', row?.text, account.preferences);
}

function isSameInstant(a: string, b: string): boolean {
  return a === b || microseconds(a) === microseconds(b);
}

/** Since 1970; a `Date` ends at milliseconds. */
function microseconds(text: string): number {
  const [, beyond = ''] = /\.\d{3}(\d{1,3})/.exec(text) ?? [];
  return Date.parse(text) * 1_000 + Number(beyond.padEnd(3, '0'));
}
