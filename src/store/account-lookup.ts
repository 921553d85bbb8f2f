import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import DataLoader from 'dataloader';
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
  /** The place of the signer in the batch, from 1. */
  readonly place: number;
  readonly identity_id: number | null;
  readonly identity_email: string;
  readonly identity_is_stale: boolean;
  readonly email_is_taken: boolean;
  readonly is_of_another: boolean;
}

/** The most signers of a statement: a larger batch would make the first of them wait for the last. */
const MAX_BATCH = 100;

/**
 * Creates the look-up that every authenticated request begins with. The requests that arrive in one turn of the event loop
 * share a prepared statement: a round trip costs the server and PostgreSQL more than the look-up itself, and a lone request waits
 * for nobody. Each signer gets an entity of its own, like any other, and all of them the error of their statement. It reads
 * outside of a transaction of `em`.
 */
export function accountLookup(orm: MikroORM, mode: ConnectionMode): AccountLookup {
  // Every column by name, cast to its type without a length: a prepared statement must return the same type after a
  // migration has added a column or widened one, or it fails on every connection that has prepared it.
  const columns = accountColumns(orm).map(({ name, type }) => `users.${name}::${type}`);
  // What is asked about other rows is only asked where it matters.
  const text = `
    select asked.place::int, ${columns.join(', ')},
           own.id::int as identity_id, own.email::text as identity_email,
           own.last_seen_at < now() - interval '1 hour' as identity_is_stale,
           own.email <> asked.email and exists (
             select from users as other where email = asked.email and other.id <> users.id
           ) as email_is_taken,
           own.id is null and exists (
             select from identities where user_id = users.id and issuer = asked.issuer and cut_at is null
           ) as is_of_another
      from unnest($1::text[], $2::text[], $3::text[]) with ordinality as asked (email, issuer, subject, place)
      join users on users.id = coalesce(
        (select user_id from identities join users as known on known.id = user_id
          where issuer = asked.issuer and subject = asked.subject and cut_at is null),
        (select id from users where email = asked.email)
      )
      left join identities as own
        on own.user_id = users.id and own.issuer = asked.issuer and own.subject = asked.subject and own.cut_at is null`;
  // Behind a pooler, another connection may have prepared the statement of this name.
  const statement = mode === 'direct' ? { name: 'accounts-of-signers', text } : { text };
  const rows = new DataLoader<Signer, Row | null>(
    async (signers) => {
      const values = [
        signers.map(({ email }) => email),
        signers.map(({ issuer }) => issuer),
        signers.map(({ subject }) => subject ?? null),
      ];
      const pool = await poolOf(orm.em);
      const found: (Row | null)[] = Array(signers.length).fill(null);
      for (const row of (await pool.query<Row>({ ...statement, values })).rows) found[row.place - 1] = row;
      return found;
    },
    { batchScheduleFn: setImmediate, maxBatchSize: MAX_BATCH, cache: false },
  );
  return async (em, signer) => {
    // PostgreSQL refuses a NUL, for all signers of a batch, and the driver replaces half a surrogate pair.
    if (!isStorableText(signer.email + signer.issuer + (signer.subject ?? ''))) return null;
    const row = await rows.load(signer);
    return row === null ? null : foundIn(em, row);
  };
}

function foundIn(em: EntityManager, row: Row): FoundAccount {
  const { place, identity_id, identity_email, identity_is_stale, email_is_taken, is_of_another, ...account } =
    row;
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
