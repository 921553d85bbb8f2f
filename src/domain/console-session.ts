import { defineEntity, p } from '@mikro-orm/core';
import { UserSchema } from './user.ts';

/** How a session of the console was opened: by an Auth.js session, a bearer token, a link with a code, or OpenID Connect. */
export const DOORS = ['authjs', 'bearer', 'code', 'oidc'] as const;
/** One of them. */
export type Door = (typeof DOORS)[number];

/** How long a session lasts without a request, in minutes. */
export const SESSION_IDLE_MINUTES = 30;

/** How long a session lasts in all, in hours. */
export const SESSION_HOURS = 8;

/** The most sessions of an account: one more ends the oldest. */
export const MAX_SESSIONS = 10;

/** The most characters of a user agent. */
export const USER_AGENT_MAX_LENGTH = 200;

const ConsoleSessionSchema = defineEntity({
  name: 'ConsoleSession',
  tableName: 'console_sessions',
  uniques: [{ name: 'console_sessions_digest_unique', properties: ['digest'] }],
  indexes: [{ name: 'console_sessions_account_id_index', properties: ['account'] }],
  properties: {
    id: p.integer().primary(),
    digest: p.string().length(64),
    account: () =>
      p
        .manyToOne(UserSchema)
        .index(false)
        .deleteRule('cascade')
        .foreignKeyName('console_sessions_account_id_foreign'),
    door: p.string().$type<Door>().length(10),
    address: p.string().length(45).nullable(),
    userAgent: p.string().length(255).nullable(),
    createdAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
    lastUsedAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
    expiresAt: p.datetime().columnType('timestamptz'),
  },
});

/** A session of the console: one browser that is signed in. Only the SHA-256 digest of its token is stored. */
export class ConsoleSession extends ConsoleSessionSchema.class {}

ConsoleSessionSchema.setClass(ConsoleSession);
