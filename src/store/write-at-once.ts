import { type ChangeSet, ChangeSetType, OptimisticLockError, type UnitOfWork } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/postgresql';
import { isLockTimeout, isUnavailable } from '../database/driver-errors.ts';
import type { Difference } from '../domain/change.ts';
import { isActiveAdmin, type User } from '../domain/user.ts';
import { accountChangeSets, differenceOf, isOfAdmin, originalOf } from './account-change-sets.ts';
import { accountColumns } from './account-columns.ts';
import { protectAdmins } from './admin-protection.ts';
import { atOnceStatements, type NamedText, rightColumns, type WrittenRow } from './at-once-sql.ts';
import { changeRecord, noteChanges } from './change-log.ts';
import { LOG_END, type LogEnd } from './log-end.ts';
import { requireReason } from './reason-check.ts';
import { actsBySession, requireRightNow } from './right-check.ts';
import { dateOf } from './rows.ts';
import { sameTurn } from './same-turn.ts';
import { runAlone, runWithNext } from './statements.ts';
import type { Unit } from './unit.ts';

/**
 * The change set of a unit that changes one account and nothing else, and that {@link writerAtOnce} can write; `undefined` for any
 * other unit. Dry runs, erasures, kept answers and whatever may take the last admin away need a transaction.
 */
export function singleWrite(unit: Unit, changes: UnitOfWork): ChangeSet<User> | undefined {
  const [single, ...others] = changes.getChangeSets();
  const [ofAccount] = accountChangeSets(changes);
  if (single === undefined || others.length > 0 || ofAccount === undefined) return undefined;
  const { type, entity } = ofAccount;
  const hasMore =
    unit.em.isInTransaction() ||
    unit.dryRun ||
    unit.keeps !== null ||
    (unit.erases && type === ChangeSetType.DELETE) ||
    changes.getExtraUpdates().size > 0 ||
    changes.getCollectionUpdates().length > 0;
  const stays = type !== ChangeSetType.DELETE && entity.isActiveAdmin();
  const leaves = isActiveAdmin(originalOf(entity) ?? {}) && !stays;
  return hasMore || leaves ? undefined : ofAccount;
}

/** A write that is due. */
interface Due {
  readonly unit: Unit;
  readonly account: User;
  readonly difference: Difference;
  /** Whether it writes the author's own account, or nobody's right needs a check: at most that of a session. */
  readonly isChecked: boolean;
}

/** The most updates of a statement: a larger batch would make the first of them wait for the last. */
const MAX_BATCH = 32;

/**
 * Creates the writer of single changes. It writes an account, its history and the check of the author's right in one prepared
 * statement, which is a transaction of its own: a flush takes five round trips for the same. The updates that are due in one turn
 * of the event loop share it, as look-ups do, and a lone one waits for nobody. None of them waits for a lock that another one
 * meets, or fails for another: what a shared statement skips has lost the race, and what it refuses runs alone.
 *
 * It writes the version that was read: a concurrent change makes it lose. Each change of an account raises its version, so that a
 * write that wins has begun after the account's last change.
 * With `notesLog`, the units know afterwards where the log of the database was after their commit.
 * Throws `OptimisticLockError` after a lost race, what `checkRight` throws, and the driver's exceptions. Needs a direct connection,
 * where it is prepared.
 */
export function writerAtOnce(
  orm: MikroORM,
  { notesLog = false }: { readonly notesLog?: boolean } = {},
): (unit: Unit, changeSet: ChangeSet<User>, isChecked: boolean) => Promise<void> {
  const columns = accountColumns(orm);
  const statements = atOnceStatements(columns);

  /** Returns what was written of each line, by its place. */
  const write = async ({ name, text }: NamedText, due: readonly Due[]) => {
    const lines = due.map((write, ordinal) => ({ ...lineOf(write), ordinal }));
    const [{ unit: first }] = due as readonly [Due, ...Due[]];
    const statement = { name, text, values: [JSON.stringify(lines)], lockTimeoutMs: first.lockTimeoutMs };
    if (!notesLog) return byLine(await first.runAlone(() => runAlone<WrittenRow>(orm.em, statement)));
    const { rows, next } = await first.runAlone(() =>
      runWithNext<WrittenRow, LogEnd>(orm.em, statement, LOG_END),
    );
    for (const { unit } of due) unit.logEnd = next?.[0];
    return byLine(rows);
  };
  const byLine = (rows: readonly WrittenRow[]) => new Map(rows.map((row) => [row.ordinal, row]));
  const lineOf = ({ unit, account, difference, isChecked }: Due) => {
    const { author, right } = unit;
    return {
      ...Object.fromEntries(columns.map(({ property, name }) => [name, account[property]])),
      ...changeRecord(difference),
      ...{ actor_id: author.actorId, actor: author.actor, request_id: author.requestId },
      reason: unit.reason,
      ...(right !== null && rightColumns(right, isChecked)),
    };
  };
  const writeAlone = async (statement: NamedText, due: Due) => {
    const row = (await write(statement, [due])).get(0);
    if (row !== undefined) return row;
    // Either the right is lost or the race is.
    if (!due.isChecked || actsBySession(due.unit)) await requireRightNow(due.unit);
    throw OptimisticLockError.lockFailed(due.account);
  };
  /** Updates all that it can without waiting, at least two; `null` for those that it skips, `undefined` where each must run alone. */
  const updateSeveral = sameTurn<Due, WrittenRow | null | undefined>(MAX_BATCH, async (due) => {
    const alone = due.map(() => undefined);
    if (due.length === 1) return alone;
    const written = await write(statements.updateSeveral, due).catch((error) => {
      // Whether a lost connection has committed is not known; of anything else, nothing is left.
      if (isUnavailable(error) || isLockTimeout(error)) throw error;
    });
    return written === undefined ? alone : due.map((_, ordinal) => written.get(ordinal) ?? null);
  });
  const update = async (due: Due) => {
    // A new email may have to wait for a transaction that uses it too.
    const isNewEmail = originalOf(due.account)?.email !== due.account.email;
    const needsNoCheck = due.isChecked && !actsBySession(due.unit);
    const row = needsNoCheck && !isNewEmail ? await updateSeveral(due) : undefined;
    // Another transaction has changed the account, or is about to.
    if (row === null) throw OptimisticLockError.lockFailed(due.account);
    return row ?? writeAlone(statements.update, due);
  };

  return async (unit, changeSet, isChecked) => {
    const { type, entity: account } = changeSet;
    unit.limitsLocks = true;
    const ofAdmin = isOfAdmin(account);
    protectAdmins(unit, [{ ofAdmin }]);
    requireReason(unit, [{ userId: account.id }]);
    if (type === ChangeSetType.CREATE) {
      for (const { property, initial } of columns) account[property] ??= initial as never;
    }
    const due = { unit, account, difference: differenceOf(changeSet), isChecked };
    const row = await writeBy(type, due);
    const { id: userId, version } = row;
    noteChanges(unit, [{ ...due.difference, userId, version, ofAdmin }]);
    account.version = version;
    if (type !== ChangeSetType.CREATE) return;
    account.id = userId;
    account.createdAt = dateOf(orm.em, row.created_at);
    account.updatedAt = dateOf(orm.em, row.updated_at);
  };

  function writeBy(type: ChangeSetType, due: Due): Promise<WrittenRow> {
    if (type === ChangeSetType.UPDATE) return update(due);
    return writeAlone(type === ChangeSetType.CREATE ? statements.create : statements.delete, due);
  }
}
