import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { ConnectionMode } from '../database/connection.ts';
import { isStorableText } from '../domain/preferences.ts';
import { User } from '../domain/user.ts';
import { accountColumns } from './account-columns.ts';
import { poolOf } from './rows.ts';

/** The signer to look up. */
export interface Signer {
  /** Normalized. */
  readonly email: string;
  readonly issuer: string;
  /** Without one, the email alone is looked for. */
  readonly subject: string | undefined;
}

/** The account of a signer. */
export interface FoundAccount {
  readonly account: User;
  /** The signer's identity, if it is the account's: it is found by that, whatever its email. */
  readonly identity: KnownIdentity | undefined;
  /** Whether it was found by its email, and belongs to another subject of the issuer. */
  readonly isOfAnother: boolean;
}

/** An identity that an account has. */
export interface KnownIdentity {
  readonly id: number;
  /** As it was followed last. */
  readonly email: string;
  /** Whether its last sign-in was noted more than an hour ago. */
  readonly isStale: boolean;
  /** Whether another account has the signer's email. */
  readonly isEmailTaken: boolean;
}

/** Finds the account of a signer, in one query; what it finds is managed by `em`. */
export type AccountLookup = (em: EntityManager, signer: Signer) => Promise<FoundAccount | null>;

interface Row {
  readonly identity_id: number | null;
  readonly identity_email: string;
  readonly identity_is_stale: boolean;
  readonly email_is_taken: boolean;
  readonly is_of_another: boolean;
}

/**
 * Creates the look-up that every authenticated request begins with, as a prepared statement: MikroORM has none, and its
 * `findOne` takes three times as long. The result is an entity like any other. It reads outside of a transaction of `em`.
 */
export function accountLookup(orm: MikroORM, mode: ConnectionMode): AccountLookup {
  // Every column by name, cast to its type without a length: a prepared statement must return the same type after a
  // migration has added a column or widened one, or it fails on every connection that has prepared it.
  const columns = accountColumns(orm).map(({ name, type }) => `users.${name}::${type}`);
  // What is asked about other rows is only asked where it matters.
  const text = `
    select ${columns.join(', ')},
           own.id::int as identity_id, own.email::text as identity_email,
           own.last_seen_at < now() - interval '1 hour' as identity_is_stale,
           own.email <> $1 and exists (select from users as other where email = $1 and other.id <> users.id)
             as email_is_taken,
           own.id is null and exists (
             select from identities where user_id = users.id and issuer = $2 and cut_at is null
           ) as is_of_another
      from users left join identities as own
        on own.user_id = users.id and own.issuer = $2 and own.subject = $3 and own.cut_at is null
     where users.id = coalesce(
       (select user_id from identities join users as known on known.id = user_id
         where issuer = $2 and subject = $3 and cut_at is null),
       (select id from users where email = $1)
     )`;
  // Behind a pooler, another connection may have prepared the statement of this name.
  const statement = mode === 'direct' ? { name: 'account-of-signer', text } : { text };
  return async (em, { email, issuer, subject = null }) => {
    // PostgreSQL refuses a NUL, and the driver replaces half a surrogate pair.
    if (!isStorableText(email)) return null;
    const pool = await poolOf(em);
    const { rows } = await pool.query<Row>({ ...statement, values: [email, issuer, subject] });
    return rows[0] === undefined ? null : foundIn(em, rows[0]);
  };
}

function foundIn(em: EntityManager, row: Row): FoundAccount {
  const { identity_id, identity_email, identity_is_stale, email_is_taken, is_of_another, ...account } = row;
  return {
    account: em.map(User, account),
    identity:
      identity_id === null
        ? undefined
        : {
            id: identity_id,
            email: identity_email,
            isStale: identity_is_stale,
            isEmailTaken: email_is_taken,
          },
    isOfAnother: is_of_another,
  };
}
