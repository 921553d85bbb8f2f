import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { type Author, DORMANCY } from '../../domain/author.ts';
import { Refusal } from '../../domain/refusal.ts';
import { refusals } from '../../domain/refusals.ts';
import { changeBetween, lockAccounts, writeAccounts } from '../../store/account-writes.ts';
import { requireActiveAdmin } from '../../store/active-admins.ts';
import { runInTransaction, type Statement } from '../../store/statements.ts';
import type { Unit, UnitOfWork } from '../../store/unit.ts';
import { type RoundPauses, startRounds } from '../rounds.ts';

const PAUSES: RoundPauses = { firstMs: 5_000, retryMs: 60_000, roundMs: 3_600_000 };

/** How many accounts one transaction suspends. */
const BATCH_SIZE = 100;

// What counts is the last of: a request, a sign-in that an older version noted, the creation, a restoration, which the history has, and
// the time from which requests are noted at all. Whoever is being changed is left for the next time. Admins come one by one, because
// each may be the last one. Each batch begins behind the one before: to pass again over all that were suspended would take longer with
// every batch. `offset 0` keeps the look-ups for those few: joined, every batch could read the history of all accounts.
const DUE = `
  select users.id, sightings.last_seen_at::text as "lastSeenAt"
    from sightings join users on users.id = sightings.user_id
    cross join (select now() - make_interval(days => $1)) as cut (off)
   where (sightings.last_seen_at, sightings.user_id) > ($5::timestamptz, $6::int)
     and sightings.last_seen_at < cut.off and sightings.since < cut.off and users.created_at < cut.off
     and users.status = 'active' and (users.role = 'admin') = $2 and users.id <> all($3::int[])
     and not exists (
       select from identities where identities.user_id = users.id and identities.last_seen_at >= cut.off
        offset 0
     )
     and not exists (
       select from changes
        where changes.user_id = users.id and at >= cut.off and (action = 'created' or 'status' = any(fields))
        offset 0
     )
   order by sightings.last_seen_at, sightings.user_id limit $4
     for update of users skip locked`;

/** What {@link startDormancy} needs. */
export interface DormancyDeps {
  readonly inUnit: UnitOfWork;
  readonly log: Logger;
  /** After how many days without a request an account is suspended; 0: never. */
  readonly suspendAfterDays: number;
  /** Default: five seconds, a minute, an hour. */
  readonly pauses?: RoundPauses;
}

/**
 * Suspends accounts that have been absent for too long: soon after the start, and then about once an hour. Returns how to stop it,
 * see {@link startRounds}.
 */
export function startDormancy({
  inUnit,
  log,
  suspendAfterDays,
  pauses = PAUSES,
}: DormancyDeps): () => Promise<void> {
  if (suspendAfterDays === 0) return async () => undefined;
  const job = async (signal: AbortSignal) => {
    const { suspended, lastAdmin } = await suspendDormant(inUnit, suspendAfterDays, signal);
    if (suspended > 0) log.info({ accounts: suspended }, 'dormant accounts suspended');
    if (lastAdmin !== undefined)
      log.warn(
        { account: lastAdmin },
        'dormant account stays active, because it is the last active admin; sign in with it, or make another account an admin',
      );
  };
  return startRounds({ 'dormant accounts': job }, pauses, (failure) =>
    log.warn(
      failure,
      'suspension of dormant accounts failed; retrying at retryAt; if it fails again, mend what err says',
    ),
  );
}

/**
 * Suspends the accounts that have been absent for `days` days, in small transactions. Safe to run on several servers at once; a
 * killed run leaves every account either suspended, with its entry in the history, or untouched. Never suspends the last active admin,
 * whose id it returns. The changes of a run share a request id, so that one undo takes all of them back.
 */
export async function suspendDormant(
  inUnit: UnitOfWork,
  days: number,
  signal: AbortSignal,
): Promise<{ suspended: number; lastAdmin: number | undefined }> {
  const author = { ...DORMANCY, requestId: randomUUID() };
  let suspended = 0;
  let lastAdmin: number | undefined;
  for (const { ofAdmins, size } of [
    { ofAdmins: false, size: BATCH_SIZE },
    { ofAdmins: true, size: 1 },
  ]) {
    let after: Position = BEGINNING;
    for (let isMore = true; isMore && !signal.aborted; ) {
      const except = lastAdmin === undefined ? [] : [lastAdmin];
      const batch = dueStatement({ days, ofAdmins, except, size, after });
      try {
        const due = await inUnit((unit) => suspendBatch(unit, author, batch), { isInBackground: true });
        suspended += due.length;
        isMore = due.length === size;
        after = positionOf(due) ?? after;
      } catch (error) {
        if (!(error instanceof LastAdmin)) throw error;
        lastAdmin = error.id;
      }
    }
  }
  return { suspended, lastAdmin };
}

/** An account that is due, with when it was last seen as PostgreSQL prints it: to the microsecond. */
interface Due {
  readonly id: number;
  readonly lastSeenAt: string;
}

/** A place in the order in which accounts are suspended: behind the account that was last seen then and has this id. */
type Position = readonly [lastSeenAt: string, id: number];

/** Before all accounts, those that were never seen too. */
const BEGINNING: Position = ['-infinity', 0];

function positionOf(batch: readonly Due[]): Position | undefined {
  const last = batch.at(-1);
  return last && [last.lastSeenAt, last.id];
}

/** The statement that locks and returns a batch of the accounts that are due, behind a position. */
export function dueStatement({
  days,
  ofAdmins,
  except,
  size,
  after,
}: {
  days: number;
  ofAdmins: boolean;
  except: readonly number[];
  size: number;
  after: Position;
}): Statement {
  return { text: DUE, values: [days, ofAdmins, except, size, ...after] };
}

/** The account with this id would have been the last active admin. */
class LastAdmin extends Error {
  override readonly name = 'LastAdmin';
  readonly id: number;

  constructor(id: number) {
    super('This account is the last active admin.');
    this.id = id;
  }
}

/** Suspends a batch and returns it, in its order. Throws {@link LastAdmin}; then nothing may be committed. */
async function suspendBatch(unit: Unit, author: Author, batch: Statement): Promise<Due[]> {
  unit.author = author;
  await unit.begin();
  const due = await runInTransaction<Due>(unit.em, batch);
  const accounts = await lockAccounts(
    unit,
    due.map(({ id }) => id),
  );
  const writes = accounts.flatMap(
    (account) => changeBetween(account, { ...account, status: 'suspended' }) ?? [],
  );
  const { takesAdminAway } = await writeAccounts(unit, writes);
  if (takesAdminAway) {
    await requireActiveAdmin(unit.em).catch((error: unknown) => {
      const isLast = error instanceof Refusal && error.code === refusals.lastAdmin.code;
      throw isLast ? new LastAdmin(due[0]?.id ?? 0) : error;
    });
  }
  return due;
}
