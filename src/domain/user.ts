import { defineEntity, JsonType, p } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import { EMAIL_MAX_LENGTH, isEmail, normalizeEmail } from './email.ts';
import { DomainError } from './errors.ts';

/** What an account may do. The column takes any string, so that a role can be added without a migration. */
export type Role = 'user' | 'admin';

/** Where a person's data lives: on their device, or in the account. */
export type StorageMode = 'local' | 'account';

/** What a person prefers: an object of their app's own making. */
export type Preferences = Record<string, unknown>;

// The migrations are the schema's truth; a test holds this description to them, names of constraints included.
const UserSchema = defineEntity({
  name: 'User',
  tableName: 'users',
  uniques: [{ name: 'users_email_unique', properties: ['email'] }],
  checks: [{ name: 'users_email_normalized', expression: 'email = normalize(lower(btrim(email)), NFKC)' }],
  properties: {
    id: p.integer().primary(),
    email: p.string().length(EMAIL_MAX_LENGTH),
    name: p.string().length(255).nullable(),
    role: p.string().$type<Role>().length(50).default('user'),
    preferences: p.type(JsonType).$type<Preferences>().columnType('jsonb').nullable(),
    storageMode: p.enum(['local', 'account']).$type<StorageMode>().columnType('varchar(10)').default('local'),
    createdAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
    updatedAt: p
      .datetime()
      .columnType('timestamptz')
      .defaultRaw('now()')
      .onUpdate(() => new Date()),
  },
});

/** An account: one person, known by one email address. */
export class User extends UserSchema.class {
  /**
   * A new account with the role `user`; it exists once its unit of work has been flushed.
   * Throws `email_invalid` when the address is none.
   */
  constructor(email: string) {
    super();
    this.email = normalizeEmail(email);
    if (!isEmail(this.email)) throw new DomainError('email_invalid', 'This is not an email address.');
  }

  /** Makes the account an admin. Says whether that changed anything. */
  promote(): boolean {
    if (this.role === 'admin') return false;
    this.role = 'admin';
    return true;
  }
}

UserSchema.setClass(User);

/** Finds the account with this email (normalised), in one query; what it finds is managed by `em`. */
export type AccountLookup = (em: EntityManager, email: string) => Promise<User | null>;
