import { defineEntity, JsonType, p } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import { patchesBetween } from './change.ts';
import { EMAIL_MAX_LENGTH, isEmail, normalizeEmail } from './email.ts';
import { DomainError } from './errors.ts';
import type { Preferences } from './preferences.ts';

/** What an account may do. The column takes any string, so that a role can be added without a migration. */
export type Role = 'user' | 'admin';

/** Where a person's data lives: on their device, or in the account. */
export type StorageMode = 'local' | 'account';

/** Whether an account may be used. */
export type Status = 'active' | 'suspended';

// The migrations are the schema's truth; a test holds this description to them, names of constraints included.
const UserSchema = defineEntity({
  name: 'User',
  tableName: 'users',
  indexes: [
    { name: 'users_created_at_id_index', properties: ['createdAt', 'id'] },
    // Each filter in each order of the list: what few rows have is not looked for among all of them.
    { name: 'users_role_created_at_id_index', properties: ['role', 'createdAt', 'id'] },
    { name: 'users_role_email_index', properties: ['role', 'email'] },
    { name: 'users_status_created_at_id_index', properties: ['status', 'createdAt', 'id'] },
    { name: 'users_status_email_index', properties: ['status', 'email'] },
    { name: 'users_storage_mode_created_at_id_index', properties: ['storageMode', 'createdAt', 'id'] },
    { name: 'users_storage_mode_email_index', properties: ['storageMode', 'email'] },
    // All that the list filters by, in the order of emails: to walk the table in that order would touch each page many times.
    {
      name: 'users_email_covering_index',
      expression:
        'create index "users_email_covering_index" on "users" ("email") include ("id", "name", "role", "status", "storage_mode")',
    },
    {
      name: 'users_email_trigram_index',
      expression: 'create index "users_email_trigram_index" on "users" using gin (email gin_trgm_ops)',
    },
    {
      name: 'users_name_trigram_index',
      expression: 'create index "users_name_trigram_index" on "users" using gin (name gin_trgm_ops)',
    },
  ],
  uniques: [{ name: 'users_email_unique', properties: ['email'] }],
  checks: [{ name: 'users_email_normalized', expression: 'email = normalize(lower(btrim(email)), NFKC)' }],
  properties: {
    id: p.integer().primary(),
    email: p.string().length(EMAIL_MAX_LENGTH),
    name: p.string().length(255).nullable(),
    role: p.string().$type<Role>().length(50).default('user'),
    preferences: p.type(JsonType).$type<Preferences>().columnType('jsonb').nullable(),
    storageMode: p.enum(['local', 'account']).$type<StorageMode>().columnType('varchar(10)').default('local'),
    status: p.enum(['active', 'suspended']).$type<Status>().columnType('varchar(20)').default('active'),
    version: p.integer().version().default(1),
    createdAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
    updatedAt: p
      .datetime()
      .columnType('timestamptz')
      .defaultRaw('now()')
      // Later than before in any case, also by the clock of another machine: the history goes by it.
      .onUpdate(({ updatedAt }) => new Date(Math.max(Date.now(), updatedAt.getTime() + 1))),
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
    this.rename(email);
  }

  /** Whether the account counts among those that can administer. */
  isActiveAdmin(): boolean {
    return this.role === 'admin' && this.status === 'active';
  }

  /** Makes the account an admin. Says whether that changed anything. */
  promote(): boolean {
    if (this.role === 'admin') return false;
    this.role = 'admin';
    return true;
  }

  /** Keeps other preferences. Those that say the same in another order are no others, and none are as good as empty ones. */
  prefer(preferences: Preferences): void {
    if (patchesBetween(this.preferences ?? {}, preferences) !== undefined) this.preferences = preferences;
  }

  /** Gives the account another address. Throws `email_invalid` when the address is none. */
  rename(email: string): void {
    const normalized = normalizeEmail(email);
    if (!isEmail(normalized)) throw new DomainError('email_invalid', 'This is not an email address.');
    this.email = normalized;
  }
}

UserSchema.setClass(User);

/** What is kept of an account, as data: every entity has it, and so has a row of a list that is no entity. */
export type Account = Pick<
  User,
  | 'id'
  | 'email'
  | 'name'
  | 'role'
  | 'status'
  | 'preferences'
  | 'storageMode'
  | 'version'
  | 'createdAt'
  | 'updatedAt'
>;

/** Finds the account with this email (normalised), in one query; what it finds is managed by `em`. */
export type AccountLookup = (em: EntityManager, email: string) => Promise<User | null>;
