import type { EntityManager } from '@mikro-orm/postgresql';
import type { AccountValues } from '../../domain/change.ts';
import { inSnapshot, type Snapshot } from '../../store/snapshot.ts';
import { compareAccount, type StoredAccount, storedAccounts } from './comparison.ts';
import { parseExactly, rewritten } from './exact-json.ts';
import { type Entry, type Replay, type Report, replay } from './replay.ts';

/** The most findings that a report names. */
export const MAX_FINDINGS = 100;

/** The most characters of a value that it shows. */
const MAX_VALUE_LENGTH = 200;

/** How many rows of a table are fetched at once. */
const BATCH_SIZE = 500;

/** A contradiction: of an entry with those before it, or of an account with its history. */
export interface Finding {
  readonly userId: number;
  /** The entry of the history; `null` for the account. */
  readonly changeId: number | null;
  readonly field: string;
  /** The value by the history so far; `found` is the value as it is. */
  readonly expected: string | number | boolean | null;
  readonly found: string | number | boolean | null;
}

/** The result of a verification. */
export interface Verification {
  readonly accounts: number;
  readonly changes: number;
  /** How many contradictions there are. */
  readonly wrong: number;
  /** The first {@link MAX_FINDINGS} of them. */
  readonly findings: readonly Finding[];
}

// Ordered by the time and not by its text, which collations sort differently.
const ENTRIES = `
  select id, user_id as "userId", to_jsonb(at)#>>'{}' as at, action, before::text, after::text, version,
         erased_at is not null as "isErased"
    from changes order by user_id, changes.at, id`;

type EntryRow = Omit<Entry, 'before' | 'after'> & { id: string; before: string | null; after: string | null };

/** An account's whole history, replayed. */
interface History {
  readonly userId: number;
  readonly entries: number;
  readonly past: Replay;
}

/** Creates the reporter for an entry of an account, or for the account as a whole. */
type ReportOn = (userId: number, changeId: number | null) => Report;

/**
 * Replays the whole history and compares the result with the accounts, column by column, in one consistent snapshot of
 * both. Its memory does not grow with their number.
 */
export async function verifyHistory(em: EntityManager): Promise<Verification> {
  const count = { accounts: 0, changes: 0, wrong: 0 };
  const findings: Finding[] = [];
  const reportOn: ReportOn = (userId, changeId) => (field, expected, found) => {
    if (++count.wrong > MAX_FINDINGS) return;
    findings.push({ userId, changeId, field, expected: shown(expected), found: shown(found) });
  };
  for await (const { history, account, userId } of inSnapshot(em, (snapshot) =>
    joined(snapshot, storedAccounts(em), reportOn),
  )) {
    count.changes += history?.entries ?? 0;
    count.accounts += account === undefined ? 0 : 1;
    await compareAccount(em, history?.past, account, reportOn(userId, null));
  }
  return { ...count, findings };
}

/** A merge join of all histories and all accounts. */
async function* joined(snapshot: Snapshot, accountsQuery: string, reportOn: ReportOn) {
  const accounts = rowsOf<StoredAccount>(snapshot, 'accounts', accountsQuery);
  const histories = historiesIn(snapshot, reportOn);
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

async function* historiesIn(snapshot: Snapshot, reportOn: ReportOn): AsyncGenerator<History, undefined> {
  let history: History | undefined;
  for await (const { id, before, after, ...row } of rowsOf<EntryRow>(snapshot, 'entries', ENTRIES)) {
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

async function* rowsOf<Row>(
  { batches }: Snapshot,
  name: string,
  query: string,
): AsyncGenerator<Row, undefined> {
  for await (const rows of batches<Row>({ name, query, size: BATCH_SIZE })) yield* rows;
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
