import { type ChangeSet, ChangeSetType, OptimisticLockError, type UnitOfWork } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import { isActiveAdmin, type User } from '../domain/user.ts';
import { accountChangeSets, differenceOf, isOfAdmin, originalOf } from './account-change-sets.ts';
import { type AccountColumn, accountColumns } from './account-columns.ts';
import { protectAdmins } from './admin-protection.ts';
import { noteAdmins } from './admins-touched.ts';
import { changeRecord, recordSql } from './change-log.ts';
import { parameters, poolOf } from './rows.ts';
import type { Unit } from './unit.ts';

/**
 * The change set of a unit that changes one account and nothing else, and that can be written by {@link updateAtOnce}; `undefined`
 * for any other unit. What a unit shows of its own changes, and what takes the last admin away, needs a transaction.
 */
export function singleUpdate(unit: Unit, changes: UnitOfWork): ChangeSet<User> | undefined {
  const [single, ...others] = changes.getChangeSets();
  const [ofAccount] = accountChangeSets(changes);
  if (single === undefined || others.length > 0 || ofAccount?.type !== ChangeSetType.UPDATE) return undefined;
  const hasMore =
    unit.em.isInTransaction() ||
    unit.dryRun ||
    unit.undoes !== null ||
    changes.getExtraUpdates().size > 0 ||
    changes.getCollectionUpdates().length > 0;
  const { entity } = ofAccount;
  const leaves = isActiveAdmin(originalOf(entity) ?? {}) && !entity.isActiveAdmin();
  return hasMore || leaves ? undefined : ofAccount;
}

/**
 * Writes a single update and its history in one statement, which is a transaction of its own: a flush takes four round trips for
 * the same. It updates the version that was read, so that whoever came between makes it lose; and because each change of an account
 * raises its version, the history that the statement sees is complete whenever it wins.
 * Throws `OptimisticLockError` after a lost race, and the driver's exceptions. Needs a direct connection, where it is prepared.
 */
export async function updateAtOnce(unit: Unit, changeSet: ChangeSet<User>): Promise<void> {
  const { em, author } = unit;
  const { entity } = changeSet;
  const draft = {
    ...differenceOf(changeSet),
    userId: entity.id,
    version: entity.version + 1,
    ofAdmin: isOfAdmin(entity),
  };
  protectAdmins(unit, [draft]);
  noteAdmins(unit, [draft]);
  const { values, bind } = parameters();
  const text = statement(em, entity, bind, {
    record: changeRecord(draft),
    author: [author.actorId, author.actor, author.requestId],
  });
  const pool = await poolOf(em);
  const { rows } = await pool
    .query<{ version: number }>({ name: 'update-account', text, values })
    .catch((error: Error) => {
      throw em.getPlatform().getExceptionConverter().convertException(error);
    });
  const [written] = rows;
  if (written === undefined) throw OptimisticLockError.lockFailed(entity);
  entity.version = written.version;
  unit.hasRecorded = true;
}

/** All columns, so that the text is always the same: what has not changed is what the version was read with. */
function statement(
  em: EntityManager,
  account: User,
  bind: (value: unknown) => string,
  {
    record: { action, before, after, fields, names },
    author: [actorId, actor, requestId],
  }: { record: ReturnType<typeof changeRecord>; author: readonly unknown[] },
): string {
  const written = accountColumns(em).filter(({ property }) => !KEPT.has(property));
  const assignments = written.map(
    (column) => `${column.name} = ${bind(databaseValue(account, column))}::${column.type}`,
  );
  const draft = `
    select 0 as ordinal, id as user_id, ${bind(action)}::text as action, ${bind(before)}::jsonb as before,
           ${bind(after)}::jsonb as after, ${bind(fields)}::text[] as fields, ${bind(names)}::text[] as names,
           version, false as erased, updated_at as at
      from updated`;
  return `
    with updated as (
      update users set ${assignments.join(', ')}, version = version + 1
       where id = ${bind(account.id)}::int and version = ${bind(account.version)}::int
      returning id, version, updated_at
    ), draft as (${draft}), ${recordSql({
      actorId: bind(actorId),
      actor: bind(actor),
      requestId: bind(requestId),
      undoes: 'null',
    })}
    select version from updated`;
}

/** What an update keeps, and the version, which it counts itself. */
const KEPT: ReadonlySet<string> = new Set(['id', 'createdAt', 'version']);

function databaseValue(account: User, { property }: AccountColumn): unknown {
  const value = account[property];
  if (value instanceof Date) return value.toISOString();
  return property === 'preferences' && value !== null ? JSON.stringify(value) : value;
}
