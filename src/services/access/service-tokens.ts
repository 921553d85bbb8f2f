import type { EntityManager } from '@mikro-orm/postgresql';
import { refusals } from '../../domain/refusals.ts';
import { type Scope, ServiceToken } from '../../domain/service-token.ts';
import { mintServiceToken } from '../../security/service-token.ts';
import { type ActorNames, actorNames } from '../../store/actor-names.ts';
import type { Unit } from '../../store/unit.ts';

/** The most years until a token expires. */
export const MAX_YEARS = 10;

/** What a new token is made of. */
export interface NewServiceToken {
  /** Unique among all tokens that exist or once did. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** `null`: it never expires. */
  readonly expiresAt: Date | null;
}

/**
 * Creates a token, which works once the unit is flushed. Only the answer ever contains the token itself.
 * Throws `invalid_input` for an expiry that is past or more than {@link MAX_YEARS} years away and, at the flush, `name_taken`.
 */
export function createServiceToken(
  { em, author }: Unit,
  { name, scopes, expiresAt }: NewServiceToken,
  now: Date,
): { token: string; entry: ServiceToken } {
  // To the end of the day, as an expiry that is a date.
  const latest = new Date(now);
  latest.setUTCFullYear(now.getUTCFullYear() + MAX_YEARS);
  latest.setUTCHours(23, 59, 59, 999);
  if (expiresAt !== null && (expiresAt <= now || expiresAt > latest)) throw refusals.invalidExpiry(MAX_YEARS);
  const { token, digest } = mintServiceToken();
  const entry = em.create(ServiceToken, {
    name,
    digest,
    scopes: [...new Set(scopes)],
    createdBy: author.actor,
    createdById: author.actorId,
    expiresAt,
  });
  em.persist(entry);
  return { token, entry };
}

/** All tokens, revoked and expired ones included, newest first, and the names of their authors. */
export async function listServiceTokens(
  em: EntityManager,
): Promise<{ entries: ServiceToken[]; nameOf: ActorNames }> {
  const entries = await em.find(ServiceToken, {}, { orderBy: { id: 'desc' } });
  const authors = entries.flatMap(({ createdBy, createdById, revokedBy, revokedById }) => [
    { actor: createdBy, actorId: createdById },
    { actor: revokedBy ?? '', actorId: revokedById },
  ]);
  return { entries, nameOf: await actorNames(em, authors) };
}

/** The token with this id. Throws `not_found`. */
export async function serviceTokenById(em: EntityManager, id: number): Promise<ServiceToken> {
  const entry = await em.findOne(ServiceToken, { id });
  if (entry === null) throw refusals.notFound('service token with this id');
  return entry;
}
