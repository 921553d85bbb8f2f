import type { EntityManager } from '@mikro-orm/postgresql';
import { authorOf } from '../../domain/author.ts';
import { DomainError } from '../../domain/errors.ts';
import { type Scope, ServiceToken } from '../../domain/service-token.ts';
import { mintServiceToken } from '../../security/service-token.ts';
import { readRows } from '../../store/rows.ts';
import type { Unit } from '../../store/unit.ts';

/** For how many years a token may be good at the most. */
export const MAX_YEARS = 10;

/** What a new token is to be. */
export interface NewServiceToken {
  /** Unlike that of any other token that there is or was. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly expiresAt: Date;
}

/** What a request by a service token needs to know of it. */
export type KnownServiceToken = Pick<ServiceToken, 'id' | 'name' | 'scopes'>;

/**
 * Makes a token, which works once it is flushed. The token itself is in the answer and nowhere else.
 * Throws `invalid_input` for an expiry that is past or more than {@link MAX_YEARS} years away and, when it
 * is flushed, `name_taken`.
 */
export function createServiceToken(
  { em }: Pick<Unit, 'em'>,
  { name, scopes, expiresAt }: NewServiceToken,
  now: Date,
): { token: string; entry: ServiceToken } {
  const latest = new Date(now);
  latest.setUTCFullYear(now.getUTCFullYear() + MAX_YEARS);
  if (expiresAt <= now || expiresAt > latest) {
    throw new DomainError('invalid_input', 'A token needs an end that somebody will live to see.', {
      errors: [{ path: 'expiresAt', message: `It must be in the next ${MAX_YEARS} years.` }],
    });
  }
  const { token, digest } = mintServiceToken();
  const createdBy = authorOf(em).actor;
  const entry = em.create(ServiceToken, { name, digest, scopes: [...new Set(scopes)], createdBy, expiresAt });
  em.persist(entry);
  return { token, entry };
}

/** All tokens that there are and were, newest first. */
export function listServiceTokens(em: EntityManager): Promise<ServiceToken[]> {
  return em.find(ServiceToken, {}, { orderBy: { id: 'desc' } });
}

/** Ends a token, from the next request on, wherever it is asked. Throws `not_found`. */
export async function revokeServiceToken(em: EntityManager, id: number, now: Date): Promise<void> {
  const entry = await em.findOne(ServiceToken, { id });
  if (entry === null) throw new DomainError('not_found', 'There is no such service token.');
  entry.revoke(now, authorOf(em).actor);
}

// In one statement, and no write but once a minute: the time of the last use is for people, who look at days. The update
// asks again, for of several that come at once each has seen the row before any of them has written.
const USE = `
  with known as (
    select id, name, scopes from service_tokens
     where digest = $1 and revoked_at is null and expires_at > now()
  ), used as (
    update service_tokens set last_used_at = now() from known
     where service_tokens.id = known.id
       and (service_tokens.last_used_at is null or service_tokens.last_used_at < now() - interval '1 minute')
  )
  select id, name, scopes from known`;

/** The token with this digest, if it may be used now; that it is used is noted. */
export async function useServiceToken(
  em: EntityManager,
  digest: string,
): Promise<KnownServiceToken | undefined> {
  const [row] = await readRows<KnownServiceToken>(em, { text: USE, values: [digest] });
  return row;
}
