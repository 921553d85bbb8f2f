import { OptimisticLockError } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import { ConsoleSession, type Door, MAX_SESSIONS, SESSION_HOURS } from '../../domain/console-session.ts';
import { refusals } from '../../domain/refusals.ts';
import { User } from '../../domain/user.ts';
import { mintConsoleSecret } from '../../security/console-token.ts';
import { isoTimeOf } from '../../store/rows.ts';
import { SESSION_USABLE } from '../../store/session-condition.ts';
import { runAlone, runInTransaction } from '../../store/statements.ts';
import type { Unit } from '../../store/unit.ts';
import { DEFAULT_LIMIT, type Page, type PageRequest, pageOf } from '../paging.ts';

/** A session to open. */
export interface NewSession {
  readonly accountId: number;
  readonly door: Door;
  /** The identity of the sign-in; none where it has no subject, or where the account was known without one. */
  readonly identityId: number | undefined;
  /** The address and the user agent of the browser; `null` where it does not tell. */
  readonly address: string | null;
  readonly userAgent: string | null;
  /** The digest of the session that the browser had: it ends. */
  readonly replaces: string | undefined;
}

/** A session as its account sees it. Times are in ISO 8601, UTC. */
export interface Session extends Pick<ConsoleSession, 'id' | 'door' | 'address' | 'userAgent'> {
  readonly createdAt: string;
  readonly lastUsedAt: string;
  readonly expiresAt: string;
}

/** A session with its account, for admins. */
export interface AccountSession extends Session {
  readonly account: Pick<User, 'id' | 'email' | 'name'>;
}

/** A session that has been opened. */
export interface OpenedSession {
  readonly account: User;
  readonly session: Session;
  /** Only the answer ever contains it. */
  readonly token: string;
}

const COLUMNS = `console_sessions.id, door, address, user_agent as "userAgent", console_sessions.created_at as "createdAt",
  last_used_at as "lastUsedAt", expires_at as "expiresAt"`;

/**
 * Opens a session under a new token, in the transaction of the unit; the browser's session of before ends, so that nobody can have
 * planted it (session fixation). The oldest one of the account ends where it has {@link MAX_SESSIONS}.
 * Throws `account_required` and `account_suspended`, and `OptimisticLockError` where the identity was cut since it signed in: repeated, the
 * unit admits the sign-in anew, or refuses it.
 */
export async function openSession(
  unit: Unit,
  { accountId, door, identityId, address, userAgent, replaces }: NewSession,
): Promise<OpenedSession> {
  const { em } = unit;
  await unit.begin();
  // Orders it against a suspension and the cut of an identity, which end all sessions, and against others that open one of this account.
  await em.execute('select from users where id = ? for no key update', [accountId]);
  const account = await em.findOne(User, { id: accountId }, { refresh: true });
  if (account === null) throw refusals.accountRequired();
  if (account.status !== 'active') throw refusals.accountSuspended();
  if (identityId !== undefined) {
    const uncut = await em.execute(
      'select 1 from identities where id = ? and user_id = ? and cut_at is null',
      [identityId, accountId],
    );
    if (uncut.length === 0) throw new OptimisticLockError('The identity was cut.');
  }
  await em.execute(
    `delete from console_sessions where digest = ? or id in (
       select id from console_sessions where account_id = ? order by id desc offset ${MAX_SESSIONS - 1})`,
    [replaces ?? '', accountId],
  );
  const { secret: token, digest } = mintConsoleSecret();
  const rows = await runInTransaction<Session>(em, {
    text: `insert into console_sessions (digest, account_id, door, address, user_agent, expires_at)
           values ($1, $2, $3, $4, $5, now() + interval '${SESSION_HOURS} hours') returning ${COLUMNS}`,
    values: [digest, accountId, door, address, userAgent],
  });
  return { account, session: withTimes(em, rows[0] as Session), token };
}

/** Ends the session with this digest, if there is one. */
export async function endSession({ em }: Pick<Unit, 'em'>, digest: string): Promise<void> {
  await runAlone(em, { text: 'delete from console_sessions where digest = $1', values: [digest] });
}

/** The sessions of an account that may be used, newest first. */
export async function sessionsOf(em: EntityManager, accountId: number): Promise<Session[]> {
  const rows = await runAlone<Session>(em, {
    text: `select ${COLUMNS} from console_sessions where account_id = $1 and ${SESSION_USABLE} order by id desc`,
    values: [accountId],
  });
  return rows.map((row) => withTimes(em, row));
}

/** A page of all sessions that may be used, newest first. */
export async function listSessions(
  em: EntityManager,
  { limit = DEFAULT_LIMIT, after }: PageRequest,
): Promise<Page<AccountSession>> {
  const rows = await runAlone<AccountSession>(em, {
    text: `
      select ${COLUMNS}, json_build_object('id', users.id, 'email', email, 'name', name) as account
        from console_sessions join users on users.id = account_id
       where ${SESSION_USABLE} and ($2::int is null or console_sessions.id < $2)
       order by console_sessions.id desc limit $1`,
    values: [limit + 1, after?.[0] ?? null],
  });
  return pageOf(rows, limit, { positionOf: ({ id }) => [id], itemOf: (row) => withTimes(em, row) });
}

/** The session with this id; with `accountId`, only one of that account. Throws `not_found`. */
export async function sessionById(
  em: EntityManager,
  id: number,
  accountId?: number,
): Promise<ConsoleSession> {
  const session = await em.findOne(ConsoleSession, {
    id,
    ...(accountId !== undefined && { account: accountId }),
  });
  if (session === null) throw refusals.notFound('session with this id');
  return session;
}

/** How many rows one statement deletes: it must end within the statement timeout. */
const CHUNK_SIZE = 10_000;

const PRUNE = [
  `delete from console_sessions where id in (
     select id from console_sessions where not ${SESSION_USABLE} limit ${CHUNK_SIZE} for update skip locked)
   returning id`,
  `delete from console_codes where digest in (
     select digest from console_codes where expires_at <= now() limit ${CHUNK_SIZE} for update skip locked)
   returning digest`,
];

/** Deletes sessions and codes that have expired, in chunks, until `signal` aborts. */
export async function pruneSessions(em: EntityManager, signal: AbortSignal): Promise<void> {
  for (const text of PRUNE) {
    for (let found = CHUNK_SIZE; found === CHUNK_SIZE && !signal.aborted; ) {
      found = (await runAlone(em, { text, values: [] })).length;
    }
  }
}

/** A row with its times as JSON has them: the driver leaves them as PostgreSQL prints them. */
function withTimes<Row extends Session>(em: EntityManager, row: Row): Row {
  const { createdAt, lastUsedAt, expiresAt } = row;
  return {
    ...row,
    createdAt: isoTimeOf(em, createdAt),
    lastUsedAt: isoTimeOf(em, lastUsedAt),
    expiresAt: isoTimeOf(em, expiresAt),
  };
}
