import { UserSchema } from '../../domain/user.ts';

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

const expressions = {
  // Covers every filter of the list in the order of emails: reading the table in that order would visit each page many times.
  users_email_covering_index:
    'create index "users_email_covering_index" on "users" ("email") include ("id", "name", "role", "status", "storage_mode")',
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

export { User } from '../../domain/user.ts';
