import { defineEntity, p } from '@mikro-orm/core';

/** What a service token may be for. */
export const SCOPES = ['users:read', 'users:write', 'history:read', 'changes:read'] as const;
/** One of them. */
export type Scope = (typeof SCOPES)[number];

const ServiceTokenSchema = defineEntity({
  name: 'ServiceToken',
  tableName: 'service_tokens',
  uniques: [
    // For ever: the history tells of it by its name.
    { name: 'service_tokens_name_unique', properties: ['name'] },
    { name: 'service_tokens_digest_unique', properties: ['digest'] },
  ],
  properties: {
    id: p.integer().primary(),
    name: p.string().length(100),
    digest: p.string().length(64),
    scopes: p.array().$type<Scope[]>().columnType('text[]'),
    createdBy: p.string().length(255),
    createdAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
    expiresAt: p.datetime().columnType('timestamptz'),
    lastUsedAt: p.datetime().columnType('timestamptz').nullable(),
    revokedAt: p.datetime().columnType('timestamptz').nullable(),
    revokedBy: p.string().length(255).nullable(),
  },
});

/** A key for a back end that has no person behind it. Of the token itself nothing is kept but its digest. */
export class ServiceToken extends ServiceTokenSchema.class {
  /** Ends it at `now`, in the name of `by`, if it has not been ended before. */
  revoke(now: Date, by: string): void {
    if (this.revokedAt) return;
    this.revokedAt = now;
    this.revokedBy = by;
  }
}

ServiceTokenSchema.setClass(ServiceToken);

/** What the history calls it. No email begins like that: a colon needs quotes in one. */
export function serviceActor(name: string): string {
  return `service:${name}`;
}
