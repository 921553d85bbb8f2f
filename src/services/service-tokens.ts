import type { EntityManager } from '@mikro-orm/postgresql';
import { authorOf } from '../domain/author.ts';
import { DomainError } from '../domain/errors.ts';
import { type Scope, ServiceToken } from '../domain/service-token.ts';
import type { Unit } from '../domain/unit-of-work.ts';
import { mintServiceToken } from '../security/service-token.ts';
import { readRows } from './rows.ts';

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
 * Throws `invalid_input` for an expiry that is past and, when it is flushed, `name_taken`.
 */
export function createServiceToken(
  { em }: Pick<Unit, 'em'>,
  { name, scopes, expiresAt }: NewServiceToken,
  now: Date,
): { token: string; entry: ServiceToken } {
  if (expiresAt <= now) {
    throw new DomainError('invalid_input', 'This token would be of no use.', {
      errors: [{ path: 'expiresAt', message: 'It must be in the future.' }],
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
  entry.revoke(now);
}

// In one statement, and no write but once a minute: the time of the last use is for people, who look at days.
const USE = `
  with known as (
    select id, name, scopes, last_used_at from service_tokens
     where digest = $1 and revoked_at is null and expires_at > now()
  ), used as (
    update service_tokens set last_used_at = now() from known
     where service_tokens.id = known.id
       and (known.last_used_at is null or known.last_used_at < now() - interval '1 minute')
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
