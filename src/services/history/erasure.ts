import type { EntityManager } from '@mikro-orm/postgresql';
import { authorOf, sign } from '../../domain/author.ts';
import { ERASED_ACTOR } from '../../domain/change.ts';
import { normalizeEmail } from '../../domain/email.ts';
import { DomainError } from '../../domain/errors.ts';
import { User } from '../../domain/user.ts';
import { eraseHistory } from '../../store/erase-history.ts';
import type { Unit, UnitOfWork } from '../../store/unit.ts';

/** How many accounts are erased in one transaction. */
const BATCH_SIZE = 20;

// Those that were deleted so long ago, and not restored since. Who is at work on one of them already has locked it.
const DUE = `
  select user_id as "userId" from changes as deletion
   where action = 'deleted' and erased_at is null and at <= now() - make_interval(days => :days)
     and not exists (select from users where id = deletion.user_id)
     and not exists (
       select from changes as later
        where later.user_id = deletion.user_id and (later.at, later.id) > (deletion.at, deletion.id)
     )
   order by at limit :size for update skip locked`;

// A request that was under way when its account was erased has signed what it did with the email, after the erasure. No
// request takes a day.
const SIGNED_SINCE = `
  select user_id as "userId" from changes as deletion
   where action = 'deleted' and erased_at is not null and at > now() - interval '1 day'
     and exists (
       select from changes as act
        where act.actor_id = deletion.user_id and act.actor <> '${ERASED_ACTOR}' || act.actor_id
     )
   order by at limit :size for update skip locked`;

const DELETED_AS = `
  select user_id as "userId" from changes as deletion
   where action = 'deleted' and erased_at is null and before->>'email' = :email
     and not exists (
       select from changes as later
        where later.user_id = deletion.user_id and (later.at, later.id) > (deletion.at, deletion.id)
     )`;

/**
 * Erases the accounts whose deletion is `days` days old, in small transactions, and says how many. Any number of processes
 * can do so at once; one that is killed leaves each account erased or not. Throws the reason of `signal` when it aborts.
 */
export async function eraseDue(inUnit: UnitOfWork, days: number, signal: AbortSignal): Promise<number> {
  const inBatches = async (statement: string) => {
    let total = 0;
    for (let found = BATCH_SIZE; found === BATCH_SIZE; ) {
      total += await inUnit(async ({ em }) => {
        await em.begin();
        // Whoever stops the process waits for a statement to end; what is locked now will be due the next time, too.
        await em.execute(`set local lock_timeout = '2s'`);
        const ids = await idsOf(em, statement, { days, size: BATCH_SIZE });
        found = ids.length;
        const gone = await holdGone(em, ids);
        await eraseHistory(em, gone, signal);
        return gone.length;
      });
    }
    return total;
  };
  const due = await inBatches(DUE);
  await inBatches(SIGNED_SINCE);
  return due;
}

/**
 * Erases the account with this email, which is deleted for that, and those that had it when they were deleted and can
 * still be restored. Says how many they were. Throws `not_found`, and, when it is flushed, `last_admin`.
 */
export async function eraseAccounts({ em, claim }: Unit, email: string): Promise<number> {
  await em.begin();
  const ids = await idsOf(em, DELETED_AS, { email: normalizeEmail(email) });
  const gone = await holdGone(em, ids);
  // Not before: none that has been found deleted can be restored any more.
  const account = await em.findOne(User, { email: normalizeEmail(email) });
  if (account === null && gone.length === 0) {
    throw new DomainError(
      'not_found',
      `There is no account with the email ${email}, nor one to be restored.`,
    );
  }
  await eraseHistory(em, gone);
  if (account === null) return gone.length;
  await claim(account);
  sign(em, { ...authorOf(em), erases: true });
  em.remove(account);
  return gone.length + 1;
}

async function idsOf(
  em: EntityManager,
  statement: string,
  values: Record<string, unknown>,
): Promise<number[]> {
  const rows = await em.execute<{ userId: number }[]>(statement, values);
  return [...new Set(rows.map(({ userId }) => userId))];
}

/**
 * Those of the accounts that are gone, and that nothing restores before the transaction of `em` has ended: whatever
 * restores an account locks the entry of its deletion first.
 */
async function holdGone(em: EntityManager, ids: readonly number[]): Promise<number[]> {
  if (ids.length === 0) return [];
  const deletions = `changes where user_id in (:ids) and action = 'deleted'`;
  await em.execute(`select id from ${deletions} order by id for update`, { ids });
  // A statement of its own: one sees nothing of what is committed while it waits for a lock.
  return idsOf(
    em,
    `select user_id as "userId" from ${deletions} and not exists (select from users where users.id = user_id)`,
    { ids },
  );
}
