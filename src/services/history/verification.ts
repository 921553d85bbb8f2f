import type { EntityManager } from '@mikro-orm/postgresql';
import type { PoolClient, QueryResultRow } from 'pg';
import type { AccountValues } from '../../domain/change.ts';
import { inBatches, inSnapshot } from '../../store/snapshot.ts';
import { compareAccount, type KeptAccount } from './comparison.ts';
import { parseExactly, rewritten } from './exact-json.ts';
import { type Entry, type Replay, type Report, replay } from './replay.ts';

/** How many findings a report names. */
export const MAX_FINDINGS = 100;

/** How much of a value it shows. */
const MAX_VALUE_LENGTH = 200;

/** How many rows are fetched at once, of either table. */
const BATCH_SIZE = 500;

/** Something that does not fit: an entry with those before it, or an account with its history. */
export interface Finding {
  readonly userId: number;
  /** The entry of the history; `null` for the account. */
  readonly changeId: number | null;
  readonly field: string;
  /** By all that went before in the history; the other as it is. */
  readonly expected: string | number | boolean | null;
  readonly found: string | number | boolean | null;
}

/** What came of a verification. */
export interface Verification {
  readonly accounts: number;
  readonly changes: number;
  /** How much does not fit. */
  readonly wrong: number;
  /** The first {@link MAX_FINDINGS} of it. */
  readonly findings: readonly Finding[];
}

// No preferences are as good as empty ones, here as everywhere.
const ACCOUNTS = `
  select id, email, name, role, status, storage_mode as "storageMode", coalesce(preferences, '{}')::text as preferences,
         version, to_jsonb(created_at)#>>'{}' as "createdAt", to_jsonb(updated_at)#>>'{}' as "updatedAt"
    from users order by id`;

// By the time itself and not by its text, which collations sort in ways of their own.
const ENTRIES = `
  select id, user_id as "userId", to_jsonb(at)#>>'{}' as at, action, before::text, after::text, version,
         erased_at is not null as "isErased"
    from changes order by user_id, changes.at, id`;

type EntryRow = Omit<Entry, 'before' | 'after'> & { id: string; before: string | null; after: string | null };

/** The whole history of an account. */
interface History {
  readonly userId: number;
  readonly entries: number;
  readonly past: Replay;
}

/** Where what is found goes: what is wrong with an entry of an account, or with the account as a whole. */
type ReportOn = (userId: number, changeId: number | null) => Report;

/**
 * Replays the whole history and holds what it adds up to against the accounts, every column to the letter, in one
 * consistent picture of both. It needs no more memory for more of them.
 */
export async function verifyHistory(em: EntityManager): Promise<Verification> {
  const count = { accounts: 0, changes: 0, wrong: 0 };
  const findings: Finding[] = [];
  const reportOn: ReportOn = (userId, changeId) => (field, expected, found) => {
    if (++count.wrong > MAX_FINDINGS) return;
    findings.push({ userId, changeId, field, expected: shown(expected), found: shown(found) });
  };
  for await (const { history, account, userId } of inSnapshot(em, (client) => joined(client, reportOn))) {
    count.changes += history?.entries ?? 0;
    count.accounts += account === undefined ? 0 : 1;
    await compareAccount(em, history?.past, account, reportOn(userId, null));
  }
  return { ...count, findings };
}

/** All histories and accounts, each with the one that it belongs to, if there is one: a merge join. */
async function* joined(client: PoolClient, reportOn: ReportOn) {
  await client.query(`set local timezone = 'UTC'`);
  const accounts = rowsOf<KeptAccount>(client, 'accounts', ACCOUNTS);
  const histories = historiesIn(client, reportOn);
  let [account, history] = [await accounts.next(), await histories.next()];
  while (!(account.done && history.done)) {
    const accountId = account.done ? Number.POSITIVE_INFINITY : account.value.id;
    const historyId = history.done ? Number.POSITIVE_INFINITY : history.value.userId;
    const userId = Math.min(accountId, historyId);
    yield {
      userId,
      account: accountId === userId ? account.value : undefined,
      history: historyId === userId ? history.value : undefined,
    };
    if (accountId === userId) account = await accounts.next();
    if (historyId === userId) history = await histories.next();
  }
}

async function* historiesIn(client: PoolClient, reportOn: ReportOn): AsyncGenerator<History, undefined> {
  let history: History | undefined;
  for await (const { id, before, after, ...row } of rowsOf<EntryRow>(client, 'entries', ENTRIES)) {
    if (history !== undefined && history.userId !== row.userId) {
      yield history;
      history = undefined;
    }
    const entry = { ...row, before: valuesOf(before), after: valuesOf(after) };
    const past = replay(history?.past, entry, reportOn(row.userId, Number(id)));
    history = { userId: row.userId, entries: (history?.entries ?? 0) + 1, past };
  }
  if (history !== undefined) yield history;
}

async function* rowsOf<Row extends QueryResultRow>(
  client: PoolClient,
  name: string,
  query: string,
): AsyncGenerator<Row, undefined> {
  for await (const rows of inBatches<Row>(client, { name, query, size: BATCH_SIZE })) yield* rows;
}

function valuesOf(text: string | null): AccountValues | null {
  return text === null ? null : (parseExactly(text) as AccountValues);
}

function shown(value: unknown): Finding['found'] {
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  if (value === null || value === undefined) return null;
  const text = typeof value === 'string' ? value : rewritten(value);
  return text.length <= MAX_VALUE_LENGTH ? text : `${text.slice(0, MAX_VALUE_LENGTH - 1).toWellFormed()}…`;
}
