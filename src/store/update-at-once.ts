import { type ChangeSet, ChangeSetType, OptimisticLockError, type UnitOfWork } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { Author } from '../domain/author.ts';
import { isActiveAdmin, type User } from '../domain/user.ts';
import { accountChangeSets, differenceOf, isOfAdmin, originalOf } from './account-change-sets.ts';
import { type AccountColumn, accountColumns, type MetadataSource } from './account-columns.ts';
import { acceptChanges, changeRecord, recordSql } from './change-log.ts';
import { parameters, poolOf } from './rows.ts';
import type { Unit } from './unit.ts';

/**
 * The change set of a unit that changes one account and nothing else, and that can be written by {@link updaterAtOnce}; `undefined`
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

/** What a statement writes. */
interface Write {
  readonly account: User;
  readonly record: ReturnType<typeof changeRecord>;
  readonly author: Author;
}

/**
 * Creates the writer of single updates. It writes the account and its history in one statement, which is a transaction of its own:
 * a flush takes four round trips for the same. It updates the version that was read, so that whoever came between makes it lose;
 * and because each change of an account raises its version, the history that the statement sees is complete whenever it wins.
 * Throws `OptimisticLockError` after a lost race, and the driver's exceptions. Needs a direct connection, where it is prepared.
 */
export function updaterAtOnce(orm: MikroORM): (unit: Unit, changeSet: ChangeSet<User>) => Promise<void> {
  const { text, readers } = statementFor(orm);
  return async (unit, changeSet) => {
    const { em, author } = unit;
    const { entity: account } = changeSet;
    const { id: userId, version } = account;
    const ofAdmin = isOfAdmin(account);
    const draft = { ...differenceOf(changeSet), userId, version: version + 1, ofAdmin };
    acceptChanges(unit, [draft]);
    const write = { account, record: changeRecord(draft), author };
    const pool = await poolOf(em);
    const { rows } = await pool
      .query<{ version: number }>({
        name: 'update-account',
        text,
        values: readers.map((read) => read(write)),
      })
      .catch((error: Error) => {
        throw em.getPlatform().getExceptionConverter().convertException(error);
      });
    const [written] = rows;
    if (written === undefined) throw OptimisticLockError.lockFailed(account);
    account.version = written.version;
  };
}

/**
 * The statement, with the reader of each of its parameters. It sets all columns, so that its text is always the same: what has not
 * changed is what the version was read with.
 */
function statementFor(source: MetadataSource) {
  const { values: readers, bind } = parameters<(write: Write) => unknown>();
  const assignments = accountColumns(source)
    .filter(({ property }) => !KEPT.has(property))
    .map((column) => {
      const value = bind(({ account }) => databaseValue(account, column));
      return `${column.name} = ${value}::${column.type}`;
    });
  const text = `
    with updated as (
      update users set ${assignments.join(', ')}, version = version + 1
       where id = ${bind(({ account }) => account.id)}::int and version = ${bind(({ account }) => account.version)}::int
      returning id, version, updated_at
    ), draft as (
      select 0 as ordinal, id as user_id, ${bind(({ record }) => record.action)}::text as action,
             ${bind(({ record }) => record.before)}::jsonb as before, ${bind(({ record }) => record.after)}::jsonb as after,
             ${bind(({ record }) => record.fields)}::text[] as fields, ${bind(({ record }) => record.names)}::text[] as names,
             version, false as erased, updated_at as at
        from updated
    ), ${recordSql({
      actorId: bind(({ author }) => author.actorId),
      actor: bind(({ author }) => author.actor),
      requestId: bind(({ author }) => author.requestId),
      undoes: 'null',
    })}
    select version from updated`;
  return { text, readers };
}

/** What an update keeps, and the version, which it counts itself. */
const KEPT: ReadonlySet<string> = new Set(['id', 'createdAt', 'version']);

function databaseValue(account: User, { property }: AccountColumn): unknown {
  const value = account[property];
  if (value instanceof Date) return value.toISOString();
  return property === 'preferences' && value !== null ? JSON.stringify(value) : value;
}
