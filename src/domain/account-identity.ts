import { defineEntity, p } from '@mikro-orm/core';
import type { Author } from './author.ts';
import { EMAIL_MAX_LENGTH } from './email.ts';

/** The most characters of an issuer. */
export const ISSUER_MAX_LENGTH = 512;

/** The most characters of a subject, as in OpenID Connect Core, section 2. */
export const SUBJECT_MAX_LENGTH = 255;

const AccountIdentitySchema = defineEntity({
  name: 'AccountIdentity',
  tableName: 'identities',
  indexes: [
    {
      name: 'identities_issuer_subject_unique',
      expression: `create unique index "identities_issuer_subject_unique" on "identities" ("issuer", "subject") where cut_at is null`,
    },
    {
      name: 'identities_user_id_issuer_unique',
      expression: `create unique index "identities_user_id_issuer_unique" on "identities" ("user_id", "issuer") where cut_at is null`,
    },
    { name: 'identities_user_id_index', properties: ['userId'] },
  ],
  properties: {
    id: p.integer().primary(),
    // Without a foreign key: a deleted account can be restored, with its identities, until it is erased.
    userId: p.integer(),
    issuer: p.string().length(ISSUER_MAX_LENGTH),
    subject: p.string().length(SUBJECT_MAX_LENGTH),
    email: p.string().length(EMAIL_MAX_LENGTH),
    firstSeenAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
    lastSeenAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
    cutAt: p.datetime().columnType('timestamptz').nullable(),
    cutBy: p.string().length(255).nullable(),
    cutById: p.integer().nullable(),
  },
});

/**
 * An account's identity at one issuer: the subject of its sign-ins (OpenID Connect Core, section 5.7), whatever their
 * email. An account has at most one at each issuer, and a subject at most one account.
 */
export class AccountIdentity extends AccountIdentitySchema.class {
  /** Cuts it from its account at `now`, unless it is cut already: the next sign-in with the account's email takes its place. */
  cut(now: Date, by: Pick<Author, 'actor' | 'actorId'>): void {
    if (this.cutAt) return;
    this.cutAt = now;
    this.cutBy = by.actor;
    this.cutById = by.actorId;
  }
}

AccountIdentitySchema.setClass(AccountIdentity);
