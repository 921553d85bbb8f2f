import { type ChangeDraft, type Difference, ERASED_ACTOR, erased } from '../domain/change.ts';
import { indexNames } from '../domain/field-index.ts';
import { protectAdmins } from './admin-protection.ts';
import { noteAdmins } from './admins-touched.ts';
import { eraseHistory } from './erase-history.ts';
import { feedOrderOf } from './feed-order.ts';
import { requireReason } from './reason-check.ts';
import { noteOwnChanges } from './right-check.ts';
import { dateOf } from './rows.ts';
import { runInTransaction } from './statements.ts';
import type { Unit } from './unit.ts';

/** The channel on which processes announce that they have committed changes of accounts. */
export const CHANGES_CHANNEL = 'rollcall_changes';

/** Calls `tell` at once and whenever there may be new changes, until it is stopped. */
export type ListenForChanges = (tell: () => void) => { stop(): Promise<void> };

/** SQL for who signs a change: columns of the draft, or placeholders. */
interface AuthorSql {
  readonly actorId: string;
  readonly actor: string;
  readonly requestId: string;
  readonly undoes: string;
  readonly reason: string;
}

// An index looks it up.
const LAST = `
      left join lateral (
        select transaction_id, at from changes
         where user_id = draft.user_id
         order by at desc, id desc limit 1
      ) as last on true`;

/**
 * SQL that writes changes to the history: two parts of a `with`, `written` and `indexed`, after a part `draft` with the fields of
 * {@link changeRecord} and the time of each change, null for a deletion.
 *
 * The position is that of the transaction, but never before the account's last change: a transaction that began earlier can
 * reach an account later. Such a position is still above what the feed serves while the transaction runs. A deletion comes after
 * everything before it. With `isLast`, the transaction is known to have begun after each account's last change, and the drafts have
 * their times.
 */
export function recordSql(
  { actorId, actor, requestId, undoes, reason }: AuthorSql,
  { isLast = false } = {},
): string {
  const position = feedOrderOf('pg_current_xact_id()');
  return `written as (
    insert into changes (transaction_id, at, actor_id, actor, request_id, user_id, action, before, after, fields, version, undoes, reason, erased_at)
    select ${isLast ? position : `greatest(${position}, last.transaction_id)`},
           ${isLast ? 'draft.at' : `coalesce(draft.at, greatest(clock_timestamp(), last.at + interval '1 millisecond'))`},
           ${actorId}::int, ${actor}::text, ${requestId}::text, draft.user_id, draft.action, draft.before, draft.after, draft.fields,
           draft.version, ${undoes}::bigint, case when draft.erased then null else ${reason}::text end,
           case when draft.erased then clock_timestamp() end
      from draft${isLast ? '' : LAST}
     order by draft.ordinal
    returning id, at, action, user_id, version, erased_at
  ), indexed as (
    insert into change_fields (field, action, at, change_id)
    select name, written.action, written.at, id
      from written join draft using (user_id, version) cross join unnest(names) as name
  )`;
}

// The time is the account's `updated_at`.
const RECORD = `
  with draft as materialized (
    select draft.*, users.updated_at as at from jsonb_to_recordset($1::jsonb) as draft
      (ordinal int, user_id int, action text, before jsonb, after jsonb, fields text[], names text[], version int, undoes bigint, erased boolean)
      left join users on users.id = draft.user_id and draft.action <> 'deleted'
  ), ${recordSql({ actorId: '$2', actor: '$3', requestId: '$4', undoes: 'draft.undoes', reason: '$5' })}
  select id, at, erased_at from written order by id`;

/** A change as {@link recordSql} takes it, without its account and its place among others. */
export function changeRecord({ action, before, after, fields }: Difference) {
  return { action, before, after, fields, names: indexNames({ action, fields }) };
}

/** Notes on the unit what it has changed. */
export function noteChanges(unit: Unit, drafts: readonly ChangeDraft[]): void {
  noteOwnChanges(unit, drafts);
  noteAdmins(unit, drafts);
  unit.changedAccount = !unit.hasRecorded && drafts.length === 1 ? (drafts[0]?.userId ?? null) : null;
  unit.hasRecorded = true;
}

/**
 * Refuses changes that the unit's author may not make, and notes the others on the unit. Throws `forbidden` and `reason_required`.
 */
export function signChanges(unit: Unit, drafts: readonly ChangeDraft[]): void {
  if (drafts.length === 0) return;
  protectAdmins(unit, drafts);
  requireReason(unit, drafts);
  noteChanges(unit, drafts);
}

/**
 * Writes changes to the history, signed by the unit's author, in the unit's transaction and in one statement for any number
 * of changes. Call it after the accounts themselves have been written, in the order of the changes.
 * Throws `forbidden` for changes that the unit's author may not make, and `reason_required`.
 */
export async function recordChanges(unit: Unit, drafts: readonly ChangeDraft[]): Promise<void> {
  if (drafts.length === 0) return;
  signChanges(unit, drafts);
  const { em, author, reason } = unit;
  const { actorId, requestId } = author;
  const isErased = drafts.some(({ userId, erased }) => erased && userId === actorId);
  const actor = isErased ? `${ERASED_ACTOR}${actorId}` : author.actor;
  const records = drafts.map((draft, ordinal) => {
    const { userId, version, erased, undoes } = draft;
    return { ...changeRecord(draft), user_id: userId, version, undoes, erased, ordinal };
  });
  const rows = await runInTransaction<RecordedRow>(em, {
    name: 'record-changes',
    text: RECORD,
    values: [JSON.stringify(records), actorId, actor, requestId, reason],
    isAnsweredByNext: !unit.remembers,
  });
  rememberChanges(unit, drafts, rows, actor);
}

/** What the history says of a change that it has recorded. */
export interface RecordedRow {
  readonly id: string;
  readonly at: string;
  readonly erased_at: string | null;
}

/** Lets the unit remember changes, as many as it wants to; `rows` says of each what the history does, in the order of the drafts. */
export function rememberChanges(
  unit: Unit,
  drafts: readonly ChangeDraft[],
  rows: readonly RecordedRow[],
  actor: string,
): void {
  const { em, author, reason } = unit;
  const { actorId, requestId } = author;
  for (const [index, row] of rows.entries()) {
    if (!unit.remembers) break;
    const { fields, erased, ofAdmin, undoes = null, ...draft } = drafts[index] as ChangeDraft;
    const erasedAt = row.erased_at === null ? null : dateOf(em, row.erased_at);
    unit.remember({
      id: Number(row.id),
      at: dateOf(em, row.at),
      actorId,
      actor,
      requestId,
      ...draft,
      undoes,
      reason: erasedAt === null ? reason : null,
      erasedAt,
    });
  }
}

/**
 * Like {@link recordChanges}, and erases the accounts that were deleted where the unit erases what it deletes. Throws
 * `forbidden` and
 * `reason_required`.
 */
export async function recordAndErase(unit: Unit, drafts: readonly ChangeDraft[]): Promise<void> {
  // Before their values are gone.
  noteOwnChanges(unit, drafts);
  noteAdmins(unit, drafts);
  const recorded = drafts.map((draft) => (unit.erases && draft.action === 'deleted' ? erased(draft) : draft));
  await recordChanges(unit, recorded);
  await eraseHistory(
    unit.em,
    recorded.filter((draft) => draft.erased).map(({ userId }) => userId),
  );
}
