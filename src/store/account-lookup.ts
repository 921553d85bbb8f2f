import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { ConnectionMode } from '../database/connection.ts';
import { isStorableText } from '../domain/preferences.ts';
import { User } from '../domain/user.ts';
import { accountColumns } from './account-columns.ts';
import { poolOf } from './rows.ts';

/** Finds the account with this email (normalized), in one query; what it finds is managed by `em`. */
export type AccountLookup = (em: EntityManager, email: string) => Promise<User | null>;

/**
 * Creates the look-up that every authenticated request begins with, as a prepared statement: MikroORM has none, and its
 * `findOne` takes three times as long. The result is an entity like any other. It reads outside of a transaction of `em`.
 */
export function accountLookup(orm: MikroORM, mode: ConnectionMode): AccountLookup {
  // Every column by name, cast to its type without a length: a prepared statement must return the same type after a
  // migration has added a column or widened one, or it fails on every connection that has prepared it.
  const columns = accountColumns(orm).map(({ name, type }) => `${name}::${type}`);
  const text = `select ${columns.join(', ')} from users where email = $1`;
  // Behind a pooler, another connection may have prepared the statement of this name.
  const statement = mode === 'direct' ? { name: 'account-by-email', text } : { text };
  return async (em, email) => {
    // PostgreSQL refuses a NUL, and the driver replaces half a surrogate pair.
    if (!isStorableText(email)) return null;
    const pool = await poolOf(em);
    const { rows } = await pool.query({ ...statement, values: [email] });
    return rows[0] === undefined ? null : em.map(User, rows[0]);
  };
}
