import { type ChangeSet, ChangeSetType, OptimisticLockError, type UnitOfWork } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/postgresql';
import DataLoader from 'dataloader';
import { isUnavailable } from '../database/driver-errors.ts';
import type { Author } from '../domain/author.ts';
import type { ChangeDraft } from '../domain/change.ts';
import { isActiveAdmin, type User } from '../domain/user.ts';
import { accountChangeSets, differenceOf, isOfAdmin, originalOf } from './account-change-sets.ts';
import { type AccountColumn, accountColumns } from './account-columns.ts';
import { acceptChanges, changeRecord, recordSql } from './change-log.ts';
import { poolOf } from './rows.ts';
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

/** An update that is due. */
interface Due {
  readonly account: User;
  readonly author: Author;
  readonly draft: ChangeDraft;
}

/** The most updates of a statement: a larger batch would make the first of them wait for the last. */
const MAX_BATCH = 32;

/**
 * Creates the writer of single updates. It writes accounts and their history in one prepared statement, which is a transaction of
 * its own: a flush takes four round trips for the same. The updates that are due in one turn of the event loop share it, as
 * look-ups do, and a lone one waits for nobody. None of them waits for a lock that another one meets, or fails for another:
 * what a shared statement skips, or refuses, runs alone.
 *
 * It updates the version that was read, so that whoever came between makes it lose. Each change of an account raises its version:
 * who wins has begun after the account's last change.
 * Throws `OptimisticLockError` after a lost race, and the driver's exceptions. Needs a direct connection, where it is prepared.
 */
export function updaterAtOnce(orm: MikroORM): (unit: Unit, changeSet: ChangeSet<User>) => Promise<void> {
  const columns = accountColumns(orm).filter(({ property }) => !KEPT.has(property));
  const alone = { name: 'update-account', text: textOf(columns, { isShared: false }) };
  const shared = { name: 'update-accounts', text: textOf(columns, { isShared: true }) };

  /** Returns the new version of each update that was written, by its place. */
  const write = async (statement: typeof alone, updates: readonly Due[]) => {
    const lines = updates.map((update, ordinal) => ({ ...lineOf(update, columns), ordinal }));
    const pool = await poolOf(orm.em);
    const { rows } = await pool
      .query<{ ordinal: number; version: number }>({ ...statement, values: [JSON.stringify(lines)] })
      .catch((error: Error) => {
        throw orm.em.getPlatform().getExceptionConverter().convertException(error);
      });
    return new Map(rows.map(({ ordinal, version }) => [ordinal, version]));
  };
  const writeAlone = async (update: Due) => {
    const version = (await write(alone, [update])).get(0);
    if (version === undefined) throw OptimisticLockError.lockFailed(update.account);
    return version;
  };
  const updates = new DataLoader<Due, number>(
    async (due) => {
      const written =
        due.length === 1
          ? new Map<number, number>()
          : await write(shared, due).catch((error) => {
              // Whether a lost connection has committed is not known; of anything else, nothing is left.
              if (isUnavailable(error)) throw error;
              return new Map<number, number>();
            });
      return Promise.all(
        due.map(
          (update, ordinal) => written.get(ordinal) ?? writeAlone(update).catch((error: Error) => error),
        ),
      );
    },
    { batchScheduleFn: setImmediate, maxBatchSize: MAX_BATCH, cache: false },
  );

  return async (unit, changeSet) => {
    const { author } = unit;
    const { entity: account } = changeSet;
    const ofAdmin = isOfAdmin(account);
    const draft = { ...differenceOf(changeSet), userId: account.id, version: account.version + 1, ofAdmin };
    acceptChanges(unit, [draft]);
    const update = { account, author, draft };
    // A new email may have to wait for a transaction that uses it too.
    const isNewEmail = originalOf(account)?.email !== account.email;
    account.version = await (isNewEmail ? writeAlone(update) : updates.load(update));
  };
}

/**
 * The text of a statement whose parameter has the updates as a table. It sets all columns, so that it is always the same: what has
 * not changed is what the version was read with. A shared one leaves out the accounts that others have locked.
 */
function textOf(columns: readonly AccountColumn[], { isShared }: { isShared: boolean }): string {
  const free = `free as (
      select id from users join line using (id, version) order by id for update of users skip locked
    ),`;
  return `
    with line as materialized (
      select * from jsonb_to_recordset($1::jsonb) as line (
        id int, version int, ${columns.map(({ name, type }) => `${name} ${type}`).join(', ')},
        ordinal int, action text, before jsonb, after jsonb, fields text[], names text[], actor_id int, actor text, request_id text)
    ), ${isShared ? free : ''} updated as (
      update users set ${columns.map(({ name }) => `${name} = line.${name}`).join(', ')}, version = users.version + 1
        from line
       where users.id = line.id and users.version = line.version ${isShared ? 'and users.id in (select id from free)' : ''}
      returning users.id as user_id, users.version, users.updated_at as at, false as erased,
                ordinal, line.action, before, after, fields, names, actor_id, actor, request_id
    ), draft as (select * from updated), ${recordSql(
      {
        actorId: 'draft.actor_id',
        actor: 'draft.actor',
        requestId: 'draft.request_id',
        undoes: 'null',
      },
      { isLast: true },
    )}
    select ordinal, version from updated`;
}

/** An update as a line of the statement's table. */
function lineOf({ account, author, draft }: Due, columns: readonly AccountColumn[]) {
  const { action, before, after, fields, names } = changeRecord(draft);
  const { actorId, actor, requestId } = author;
  return {
    ...Object.fromEntries(columns.map(({ property, name }) => [name, account[property]])),
    ...{ id: account.id, version: account.version, action, before, after, fields, names },
    ...{ actor_id: actorId, actor, request_id: requestId },
  };
}

/** What an update keeps, and the version, which it counts itself. */
const KEPT: ReadonlySet<string> = new Set(['id', 'createdAt', 'version']);
