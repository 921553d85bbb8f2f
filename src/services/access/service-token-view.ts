import type { ServiceToken } from '../../domain/service-token.ts';
import type { ActorNames } from '../../store/actor-names.ts';

/** What may leave of a service token, in JSON's types. */
export function serviceTokenView(entry: ServiceToken, nameOf: ActorNames) {
  const { id, name, scopes, createdAt, expiresAt, lastUsedAt, revokedAt, revokedBy } = entry;
  return {
    id,
    name,
    scopes,
    createdBy: nameOf({ actor: entry.createdBy, actorId: entry.createdById }),
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt?.toISOString() ?? null,
    lastUsedAt: lastUsedAt?.toISOString() ?? null,
    revokedAt: revokedAt?.toISOString() ?? null,
    revokedBy: revokedBy ? nameOf({ actor: revokedBy, actorId: entry.revokedById }) : null,
  };
}
