import type { MikroORM } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';
import type { Passage } from '../database/connection.ts';
import { type AccountLookup, User } from '../domain/user.ts';

/**
 * The look-up that every authenticated request begins with, as a prepared statement: MikroORM has no such thing, and its
 * `findOne` takes three times as long. What it finds is an entity like any other, managed by `em`.
 *
 * It reads outside of a transaction of `em`, if there is one.
 */
export function accountLookup(orm: MikroORM, passage: Passage): AccountLookup {
  // Every column by name, and cast to its own type without a length: what a prepared statement returns must not change
  // under it, or it fails on every connection that knows it, once a migration has added a column or widened one.
  const columns = orm
    .getMetadata(User)
    .props.map(({ fieldNames: [name], columnTypes: [type] }) => `${name}::${type?.replace(/\(.*/, '')}`);
  const text = `select ${columns.join(', ')} from users where email = $1`;
  // Behind a pooler, the connection that knows the statement's name may be another's.
  const statement = passage === 'direct' ? { name: 'account-by-email', text } : { text };
  return async (em, email) => {
    // Text that PostgreSQL does not have: it refuses the one, and the driver makes another text of the other.
    if (email.includes('\0') || !email.isWellFormed()) return null;
    const pool: Pool = await em.getConnection().getNativeClient();
    const { rows } = await pool.query({ ...statement, values: [email] });
    return rows[0] === undefined ? null : em.map(User, rows[0]);
  };
}
