import { randomUUID } from 'node:crypto';
import type { Action, Change } from '../../domain/change.ts';
import { normalizeEmail } from '../../domain/email.ts';
import type { PreferenceRules } from '../../domain/preferences.ts';
import { refusals } from '../../domain/refusals.ts';
import type { SkippedChange, UndoReport } from '../../domain/undo-report.ts';
import { requireActiveAdmin } from '../../store/active-admins.ts';
import { CHANGE_COLUMNS, CHANGE_VALUES, type ChangeRow, changeOf } from '../../store/change-rows.ts';
import { type Measured, unmeasured, withinBytes } from '../../store/page-bytes.ts';
import { runInTransaction } from '../../store/statements.ts';
import type { Unit } from '../../store/unit.ts';
import { findEntry, type Obstacle, undoEntries } from './undo.ts';

/** A request with its author: callers may choose the same id, and one must not undo the changes of another along. */
export interface AuthoredRequest extends Pick<Change, 'actorId' | 'actor'> {
  readonly requestId: string;
}

/** How to undo a request. */
export interface UndoOptions {
  /** Whether what can be undone is undone even if other changes cannot. */
  readonly partial: boolean;
  readonly rules: PreferenceRules;
  /** Whether the report names the fields that have changed since. */
  readonly showsFields: boolean;
}

/** How many of the new changes an answer shows, and how many of those that were left a report names, with how many fields. */
export const MAX_SHOWN = 100;
export const MAX_SKIPPED = 100;
export const MAX_SKIPPED_FIELDS = 10;

/** The most characters of a field in a report: preferences may have long names. */
const MAX_FIELD_LENGTH = 255;

/** How many entries are read at once, and how many bytes of their values, see {@link withinBytes}. */
const WINDOW_SIZE = 500;
const WINDOW_BYTES = 4 * 1024 * 1024;

/** How many authors of a request are named. */
const MAX_AUTHORS = 10;

const CURSOR = 'undone';

// A cursor, because searching again for each window would take longer with every window.
const DECLARE = `
  declare ${CURSOR} no scroll cursor for
   select id from changes
    where request_id = $1 and (actor_id = $2 or actor_id is null and $2::int is null and actor = $3)
    order by at desc, id desc`;

const WINDOW = withinBytes(
  `select ${CHANGE_COLUMNS} from changes where id = any($1::bigint[]) order by at desc, id desc limit ${WINDOW_SIZE}`,
  { order: 'at desc, id desc', columns: CHANGE_VALUES, limit: WINDOW_BYTES },
);

/** The request that made a change. Throws `not_found`, and `request_unknown` for a change without a request id. */
export async function requestOf(unit: Unit, id: number): Promise<AuthoredRequest> {
  const { requestId, actorId, actor } = await findEntry(unit, id);
  if (requestId === null) throw refusals.requestUnknown();
  return { requestId, actorId, actor };
}

/** The requests with this id: one for each author, at most {@link MAX_AUTHORS}. */
export async function requestsWithId(unit: Unit, requestId: string): Promise<readonly AuthoredRequest[]> {
  await unit.begin();
  // An author may have had several names.
  const text = `
    select distinct on (actor_id, case when actor_id is null then actor end)
           request_id as "requestId", actor_id as "actorId", actor
      from changes where request_id = $1 limit ${MAX_AUTHORS}`;
  return runInTransaction(unit.em, { text, values: [requestId] });
}

/**
 * Undoes everything that a request has changed, newest first, each change as `undoChange` does, in the unit's transaction and in
 * batches, so that neither memory nor the time of a statement grows with their number.
 *
 * Unless the undo is `partial`, throws where a change cannot be undone: `account_in_use` where a table of the app points at one of the
 * accounts, and else `changed_since` (`details.report` is the report). Throws `last_admin` and `forbidden`. Then nothing may be
 * committed.
 */
export async function undoRequest(
  unit: Unit,
  request: AuthoredRequest,
  { partial, rules, showsFields }: UndoOptions,
): Promise<UndoReport> {
  await unit.begin();
  unit.shows = MAX_SHOWN;
  signApart(unit, request);
  const actions: Record<Action, number> = { created: 0, updated: 0, deleted: 0 };
  const skippedChanges: SkippedChange[] = [];
  let skipped = 0;
  let takesAdminAway = false;
  let isInUse = false;
  for await (const entries of windowsOf(unit, request)) {
    for (const batch of independent(entries)) {
      const undone = await undoEntries(unit, batch, rules);
      for (const action of Object.keys(actions) as Action[]) actions[action] += undone.count[action];
      takesAdminAway ||= undone.takesAdminAway;
      isInUse ||= undone.obstacles.some(({ refusal }) => refusal.code === refusals.accountInUse.code);
      skipped += undone.obstacles.length;
      const room = MAX_SKIPPED - skippedChanges.length;
      for (const obstacle of undone.obstacles.slice(0, room))
        skippedChanges.push(skippedOf(obstacle, showsFields));
    }
  }
  const undone = actions.created + actions.updated + actions.deleted;
  const isRefused = skipped > 0 && !partial;
  const report: UndoReport = {
    undone: isRefused || unit.dryRun ? 0 : undone,
    ...((isRefused || unit.dryRun) && { wouldUndo: undone }),
    skipped,
    actions,
    undoneRequestId: request.requestId,
    requestId: unit.author.requestId,
    skippedChanges,
  };
  if (isRefused) throw isInUse ? refusals.requestInUse(report) : refusals.requestChangedSince(report);
  if (takesAdminAway) await requireActiveAdmin(unit.em);
  return report;
}

/** Gives the unit's changes a request id of their own, so that undoing them takes back nothing else. */
function signApart(unit: Unit, { requestId, actorId, actor }: AuthoredRequest): void {
  const { author } = unit;
  const isSameAuthor =
    actorId === null ? author.actorId === null && author.actor === actor : author.actorId === actorId;
  if (isSameAuthor && author.requestId === requestId) unit.author = { ...author, requestId: randomUUID() };
}

/** The entries of a request, newest first, as many at once as have room. */
async function* windowsOf(
  { em }: Unit,
  { requestId, actorId, actor }: AuthoredRequest,
): AsyncGenerator<Change[]> {
  const run = <Row>(text: string, values: readonly unknown[] = []) =>
    runInTransaction<Row>(em, { text, values });
  await run(DECLARE, [requestId, actorId, actor]);
  for (;;) {
    const found = await run<{ id: string }>(`fetch ${WINDOW_SIZE} from ${CURSOR}`);
    if (found.length === 0) break;
    let ids = found.map(({ id }) => id);
    while (ids.length > 0) {
      const rows = await run<ChangeRow & Measured>(WINDOW, [ids]);
      yield rows.map((row) => changeOf(em, unmeasured(row)));
      ids = ids.slice(rows.length);
    }
  }
  await run(`close ${CURSOR}`);
}

/**
 * Splits entries into batches whose order within does not matter: each has an account once, and an email in the hands of one
 * account only.
 */
function* independent(entries: readonly Change[]): Generator<Change[]> {
  let from = 0;
  const holders = new Map<string, number>();
  for (const [index, entry] of entries.entries()) {
    const emails = emailsIn(entry);
    if (emails.some((email) => (holders.get(email) ?? entry.userId) !== entry.userId)) {
      yield* onceEach(entries.slice(from, index));
      from = index;
      holders.clear();
    }
    for (const email of emails) holders.set(email, entry.userId);
  }
  yield* onceEach(entries.slice(from));
}

/** First the newest entries of all accounts, then those before them, and so on. */
function* onceEach(entries: readonly Change[]): Generator<Change[]> {
  const rounds: Change[][] = [];
  const seen = new Map<number, number>();
  for (const entry of entries) {
    const round = seen.get(entry.userId) ?? 0;
    seen.set(entry.userId, round + 1);
    rounds[round] ??= [];
    rounds[round].push(entry);
  }
  yield* rounds;
}

/** The emails that a change gives, takes or frees. */
function emailsIn({ before, after }: Change): string[] {
  return [before?.email, after?.email].filter((email) => email !== undefined).map(normalizeEmail);
}

function skippedOf({ entry, refusal: { code, details } }: Obstacle, showsFields: boolean): SkippedChange {
  const fields = showsFields ? ((details?.['fields'] ?? []) as readonly string[]) : [];
  return {
    id: entry.id,
    userId: entry.userId,
    reason: code,
    fields: fields.slice(0, MAX_SKIPPED_FIELDS).map((field) => field.slice(0, MAX_FIELD_LENGTH)),
  };
}
