import { UserSchema } from '../../domain/user.ts';
import { lapsedSql } from '../lapsed.ts';

/**
 * Adds the indexes and constraints of the accounts' table to the entity's description, for the comparison with the
 * migrations; a test compares the names too.
 */
const indexes = [
  ['created_at_id', ['createdAt', 'id']],
  // Each filter in each order of the list, so that a rare value is not searched for among all accounts.
  ['role_created_at_id', ['role', 'createdAt', 'id']],
  ['role_email', ['role', 'email']],
  ['status_created_at_id', ['status', 'createdAt', 'id']],
  ['status_email', ['status', 'email']],
  ['storage_mode_created_at_id', ['storageMode', 'createdAt', 'id']],
  ['storage_mode_email', ['storageMode', 'email']],
] as const;

for (const [columns, properties] of indexes) {
  UserSchema.addIndex({ name: `users_${columns}_index`, properties: [...properties] });
}

/** SQL for the domain of an account's email, as the indexes have it. */
export const DOMAIN = "split_part(email, '@', 2)";

const expressions = {
  // Covers every filter of the list in the order of emails: reading the table in that order would visit each page many times.
  users_email_covering_index:
    'create index "users_email_covering_index" on "users" ("email") include ("id", "name", "role", "status", "storage_mode")',
  users_domain_created_at_id_index: `create index "users_domain_created_at_id_index" on "users" ((${DOMAIN}), "created_at", "id")`,
  users_domain_email_index: `create index "users_domain_email_index" on "users" ((${DOMAIN}), "email")`,
  users_email_trigram_index:
    'create index "users_email_trigram_index" on "users" using gin (email gin_trgm_ops)',
  users_name_search_index:
    'create index "users_name_search_index" on "users" using gin (rollcall_fold(name) gin_trgm_ops)',
};

for (const [name, expression] of Object.entries(expressions)) UserSchema.addIndex({ name, expression });

UserSchema.addUnique({ name: 'users_email_unique', properties: ['email'] });
UserSchema.meta.checks.push({
  name: 'users_email_normalized',
  expression: 'email = normalize(lower(btrim(email)), NFKC)',
});

/** SQL for when an account, by its id, was last seen; null for never. */
export const lastSeenSql = (id: string) =>
  `(select nullif(sightings.last_seen_at, '-infinity') from sightings where sightings.user_id = ${id})`;

// Read with the account, and never written with it.
UserSchema.addProperty('lastSeenAt' as never, 'datetime', {
  columnType: 'timestamptz',
  nullable: true,
  persist: false,
  formula: ({ id }) => lastSeenSql(id),
});

UserSchema.addProperty('isLapsed' as never, 'boolean', {
  columnType: 'boolean',
  nullable: true,
  persist: false,
  formula: (columns) => lapsedSql(columns.id.split('.')[0] ?? ''),
});

export { User } from '../../domain/user.ts';
