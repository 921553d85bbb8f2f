import { refusals } from '../../domain/refusals.ts';
import { consoleSecretDigest, mintConsoleSecret } from '../../security/console-token.ts';
import { runInTransaction } from '../../store/statements.ts';
import type { Unit } from '../../store/unit.ts';
import { accountByEmail } from '../accounts/accounts.ts';

/** How long the code of a link can be used, in seconds. */
const CODE_SECONDS = 120;

/** The most codes of an account that can be used: one more ends the one that expires first. */
const MAX_CODES = 10;

/** A code that signs an account in to the console, once. */
export interface ConsoleCode {
  /** Show it once and store it nowhere. */
  readonly code: string;
  readonly expiresAt: Date;
}

/**
 * Makes a code that signs in the account with this email, once within `seconds`. Only its digest is stored.
 * Throws `not_found` and `account_suspended`.
 */
export async function makeCode(unit: Unit, email: string, seconds = CODE_SECONDS): Promise<ConsoleCode> {
  const { em } = unit;
  const { id, status } = await accountByEmail(em, email);
  if (status !== 'active') throw refusals.accountSuspended();
  const { secret: code, digest } = mintConsoleSecret();
  await unit.begin();
  await runInTransaction(em, {
    text: `
      delete from console_codes where expires_at <= now() or digest in (
        select digest from console_codes where account_id = $1 order by expires_at desc offset ${MAX_CODES - 1})`,
    values: [id],
  });
  const [row] = await runInTransaction<{ expiresAt: string }>(em, {
    text: `insert into console_codes (digest, account_id, expires_at)
           values ($1, $2, now() + make_interval(secs => $3)) returning expires_at as "expiresAt"`,
    values: [digest, id, seconds],
  });
  return { code, expiresAt: new Date(`${row?.expiresAt}`) };
}

/**
 * Uses a code up, in the transaction of the unit, and returns the id of its account. Of several that use it at the same moment, one
 * gets it. Throws `unauthenticated` for a code that is unknown, used or expired.
 */
export async function redeemCode(unit: Unit, code: string): Promise<number> {
  const digest = consoleSecretDigest(code);
  if (digest === undefined) throw refusals.codeInvalid();
  await unit.begin();
  const values = [digest];
  // The account first, as whoever suspends or deletes it does.
  const [account] = await runInTransaction<{ id: number }>(unit.em, { text: LOCK_ACCOUNT, values });
  const used = account && (await runInTransaction(unit.em, { text: USE, values }));
  if (account === undefined || used?.length !== 1) throw refusals.codeInvalid();
  return account.id;
}

const LOCK_ACCOUNT = `
  select users.id from users join console_codes on account_id = users.id
   where digest = $1 and status = 'active' for no key update of users`;

const USE =
  'delete from console_codes where digest = $1 and expires_at > clock_timestamp() returning 1 as used';
