import type { Logger } from 'pino';
import { EXPIRY } from '../../domain/author.ts';
import { changeBetween, lockAccounts, writeAccounts } from '../../store/account-writes.ts';
import { lockAdmins } from '../../store/active-admins.ts';
import { runAlone, runInTransaction } from '../../store/statements.ts';
import type { Unit, UnitOfWork } from '../../store/unit.ts';
import { type RoundPauses, startRounds } from '../rounds.ts';

// Short rounds: rights end at their time, and this only records it.
const PAUSES: RoundPauses = { firstMs: 3_000, retryMs: 10_000, roundMs: 20_000 };

// By the index of roles: there are few admins.
const DUE = `select id from users where role = 'admin' and role_until <= clock_timestamp() order by id`;

/** What {@link startExpiry} needs. */
export interface ExpiryDeps {
  readonly inUnit: UnitOfWork;
  readonly log: Logger;
  /** Default: three seconds, ten, twenty. */
  readonly pauses?: RoundPauses;
}

/**
 * Makes users of admins whose role is over, which takes effect by itself at its time. Returns how to stop it, see
 * {@link startRounds}.
 */
export function startExpiry({ inUnit, log, pauses = PAUSES }: ExpiryDeps): () => Promise<void> {
  let known: number | undefined;
  const job = async () => {
    const { ended, last } = await endRoles(inUnit);
    if (ended > 0) log.info({ accounts: ended }, 'roles of admins ended');
    if (last !== undefined && last !== known)
      log.warn(
        { account: last },
        'role of an admin is over and stays, because it is the last active admin; make another account an admin, or prolong its role',
      );
    known = last;
  };
  return startRounds({ 'roles of admins': job }, pauses, (failure) =>
    log.warn(
      failure,
      'roles that are over not recorded; retrying at retryAt; if it fails again, mend what err says',
    ),
  );
}

/**
 * Records the ends of roles. Safe to run on several servers at once; a killed run leaves every account as it was. The last active
 * admin keeps its role: `last` is its id.
 */
export async function endRoles(inUnit: UnitOfWork): Promise<{ ended: number; last: number | undefined }> {
  return inUnit(
    async (unit) => {
      // First without a transaction and its locks: nearly always there is none.
      const due = await runAlone(unit.em, { text: DUE, values: [] });
      return due.length === 0 ? { ended: 0, last: undefined } : endDue(unit);
    },
    { isInBackground: true },
  );
}

async function endDue(unit: Unit): Promise<{ ended: number; last: number | undefined }> {
  unit.author = EXPIRY;
  await unit.begin();
  const { holding, last } = await lockAdmins(unit.em);
  const stays = holding.size === 0 ? last : undefined;
  const rows = await runInTransaction<{ id: number }>(unit.em, { text: DUE, values: [] });
  const accounts = await lockAccounts(
    unit,
    rows.map(({ id }) => id).filter((id) => id !== stays),
  );
  const writes = accounts.flatMap(
    (account) => changeBetween(account, { ...account, role: 'user', roleUntil: null }) ?? [],
  );
  await writeAccounts(unit, writes);
  return { ended: writes.length, last: stays };
}
