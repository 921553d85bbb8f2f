import { isDeepStrictEqual } from 'node:util';
import type { EntityManager } from '@mikro-orm/postgresql';
import { STATE_FIELDS } from '../../domain/change.ts';
import type { Account } from '../../domain/user.ts';
import { accountColumns, readingOf } from '../../store/account-columns.ts';
import { parseExactly, rewritten } from './exact-json.ts';
import type { Replay, Report } from './replay.ts';

/** The columns that are compared as text: times as ISO 8601 to the microsecond, preferences as PostgreSQL writes them. */
type TextColumn = 'preferences' | 'createdAt' | 'updatedAt';

/** An account as it is stored. */
export type StoredAccount = Omit<Account, TextColumn> & { readonly [Field in TextColumn]: string };

/** The query of all {@link StoredAccount}s, ordered by id. */
export function storedAccounts(em: EntityManager): string {
  const columns = accountColumns(em).map(({ property, name, type }) => {
    const value =
      property === 'roleUntil'
        ? readingOf({ property, name })
        : type === 'timestamptz'
          ? `to_jsonb(${name})#>>'{}'`
          : // No preferences say the same as empty ones.
            type === 'jsonb'
            ? `coalesce(${name}, '{}')::text`
            : name;
    return `${value} as "${property}"`;
  });
  return `select ${columns.join(', ')} from users order by id`;
}

/** Compares an account with the replay of its history; either may be missing. Reports every difference. */
export async function compareAccount(
  em: EntityManager,
  past: Replay | undefined,
  account: StoredAccount | undefined,
  report: Report,
): Promise<void> {
  const [expected, found] = [past?.exists ?? false, account !== undefined];
  if (expected !== found) report('exists', expected, found);
  if (past === undefined || account === undefined || expected !== found) return;
  if (past.isErased) return report('erased', false, true);

  const { state, version, createdAt, updatedAt } = past;
  for (const field of STATE_FIELDS) {
    // An entry from before a column existed does not have it.
    const [expected, found] = [state[field] ?? null, account[field] ?? null];
    if (field !== 'preferences' && expected !== found) report(field, expected, found);
  }
  if (version !== account.version) report('version', version, account.version);
  if (!isSameInstant(createdAt, account.createdAt)) report('createdAt', createdAt, account.createdAt);
  if (!isSameInstant(updatedAt, account.updatedAt)) report('updatedAt', updatedAt, account.updatedAt);

  const { preferences = {} } = state;
  if (isDeepStrictEqual(preferences, parseExactly(account.preferences))) return;
  // A number from before the history may be written in another form until the account is next written.
  const [row] = await em.execute<{ text: string }[]>('select ?::jsonb::text as text', [
    rewritten(preferences),
  ]);
  if (row?.text !== account.preferences) report('preferences', row?.text, account.preferences);
}

function isSameInstant(a: string, b: string): boolean {
  return a === b || microseconds(a) === microseconds(b);
}

/** Microseconds since 1970; a `Date` has milliseconds only. */
function microseconds(text: string): number {
  const [, beyond = ''] = /\.\d{3}(\d{1,3})/.exec(text) ?? [];
  return Date.parse(text) * 1_000 + Number(beyond.padEnd(3, '0'));
}
