import { AsyncLocalStorage } from 'node:async_hooks';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { User } from '../../domain/user.ts';
import { accountColumns, type MetadataSource } from '../../store/account-columns.ts';
import { entityOf, SIGHTING_COLUMNS, SIGHTING_JOIN } from '../../store/account-look-up.ts';
import { askedKeys, type LookUps } from '../../store/batched-look-ups.ts';
import { isoTimeOf } from '../../store/rows.ts';
import { SESSION_USABLE } from '../../store/session-condition.ts';
import { runAlone } from '../../store/statements.ts';
import type { Session } from './console-sessions.ts';
import type { Sightings } from './sightings.ts';

/** A session that may be used now, and its account, which is active and managed by the EntityManager of the look-up. */
export interface FoundSession {
  readonly session: Session;
  readonly account: User;
}

/** Finds sessions by their digests. */
export interface SessionLookUp {
  /** The session with a digest, if it may be used now. Throws the driver's exceptions. */
  find(em: EntityManager, digest: string): Promise<FoundSession | null>;
  /** Notes the use of a session, once a minute at most, and after the request has gone on. Never throws. */
  noteUse(session: Session): void;
}

interface Row {
  readonly place: number;
  readonly session_id: number;
  readonly session_door: Session['door'];
  readonly session_address: string | null;
  readonly session_user_agent: string | null;
  readonly session_created_at: string;
  readonly session_last_used_at: string;
  readonly session_expires_at: string;
  readonly session_is_stale: boolean;
  readonly is_unseen: boolean;
}

// Whoever else has the row locked notes its use, or ends it.
const NOTE_USE = `
  update console_sessions set last_used_at = now()
   where id in (
     select id from console_sessions
      where id = $1 and last_used_at < now() - interval '1 minute' and ${SESSION_USABLE}
        for no key update skip locked
   )`;

/**
 * Creates the look-up that every request with a session begins with, shared by those that arrive together: one query finds the
 * session and its account, whose role and status are those of this moment.
 */
export function sessionLookUp(
  source: MetadataSource & { readonly em: EntityManager },
  lookUps: LookUps,
  sightings: Pick<Sightings, 'note'>,
): SessionLookUp {
  const columns = accountColumns(source).map(({ name, type }) => `users.${name}::${type}`);
  const rowOf = lookUps<string, Row>({
    name: 'console-sessions-in-use',
    text: `
      select asked.place::int, ${columns.join(', ')},
             console_sessions.id::int as session_id, door::text as session_door,
             address::text as session_address, user_agent::text as session_user_agent,
             console_sessions.created_at::timestamptz as session_created_at,
             last_used_at::timestamptz as session_last_used_at, expires_at::timestamptz as session_expires_at,
             last_used_at < now() - interval '1 minute' as session_is_stale, ${SIGHTING_COLUMNS}
        from ${askedKeys('digest')}
        join console_sessions on console_sessions.digest = asked.digest and ${SESSION_USABLE}
        join users on users.id = console_sessions.account_id and users.status = 'active'
        ${SIGHTING_JOIN}`,
    values: (digests) => [[...digests]],
  });
  const stale = new WeakSet<Session>();
  const noting = new Set<number>();
  /** Runs what neither the times nor the trace of a request count. */
  const ofNoRequest = AsyncLocalStorage.snapshot();
  return {
    async find(em, digest) {
      const row = await rowOf(digest);
      if (row === null) return null;
      const {
        place,
        session_id: id,
        session_door: door,
        session_address: address,
        session_user_agent: userAgent,
        session_created_at: createdAt,
        session_last_used_at: lastUsedAt,
        session_expires_at: expiresAt,
        session_is_stale: isStale,
        is_unseen: isUnseen,
        ...account
      } = row;
      const session = {
        id,
        door,
        address,
        userAgent,
        createdAt: isoTimeOf(em, createdAt),
        lastUsedAt: isoTimeOf(em, lastUsedAt),
        expiresAt: isoTimeOf(em, expiresAt),
      };
      if (isStale) stale.add(session);
      const found = entityOf(em, account);
      if (isUnseen) sightings.note(found.id);
      return { session, account: found };
    },
    noteUse(session) {
      const { id } = session;
      if (!stale.has(session) || noting.has(id)) return;
      noting.add(id);
      ofNoRequest(() => runAlone(source.em, { text: NOTE_USE, values: [id] }))
        // The next request tries again.
        .catch(() => undefined)
        .finally(() => noting.delete(id));
    },
  };
}
