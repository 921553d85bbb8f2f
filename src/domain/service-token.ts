import { defineEntity, p } from '@mikro-orm/core';
import type { Author } from './author.ts';

/** The scopes of service tokens. */
export const SCOPES = ['users:read', 'users:write', 'history:read', 'changes:read'] as const;
/** One of them. */
export type Scope = (typeof SCOPES)[number];

const ServiceTokenSchema = defineEntity({
  name: 'ServiceToken',
  tableName: 'service_tokens',
  uniques: [
    // Forever: the history names it.
    { name: 'service_tokens_name_unique', properties: ['name'] },
    { name: 'service_tokens_digest_unique', properties: ['digest'] },
  ],
  properties: {
    id: p.integer().primary(),
    name: p.string().length(100),
    digest: p.string().length(64),
    scopes: p.array().$type<Scope[]>().columnType('text[]'),
    createdBy: p.string().length(255),
    createdById: p.integer().nullable(),
    createdAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
    // Without one, it never expires.
    expiresAt: p.datetime().columnType('timestamptz').nullable(),
    lastUsedAt: p.datetime().columnType('timestamptz').nullable(),
    revokedAt: p.datetime().columnType('timestamptz').nullable(),
    revokedBy: p.string().length(255).nullable(),
    revokedById: p.integer().nullable(),
  },
});

/** A service token, for a back end without an account. Only its SHA-256 digest is stored. */
export class ServiceToken extends ServiceTokenSchema.class {
  /** Revokes it at `now`, unless it is revoked already. */
  revoke(now: Date, by: Pick<Author, 'actor' | 'actorId'>): void {
    if (this.revokedAt) return;
    this.revokedAt = now;
    this.revokedBy = by.actor;
    this.revokedById = by.actorId;
  }
}

ServiceTokenSchema.setClass(ServiceToken);

/** Its name as an actor. No email begins like this: in an email, a colon needs quotes. */
export function serviceActor(name: string): string {
  return `service:${name}`;
}
