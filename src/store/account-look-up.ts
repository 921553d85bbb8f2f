import type { EntityManager } from '@mikro-orm/postgresql';
import { isStorableText } from '../domain/preferences.ts';
import { User } from '../domain/user.ts';
import { accountColumns, type MetadataSource } from './account-columns.ts';
import { askedKeys, type LookUps } from './batched-look-ups.ts';
import { lapsedSql } from './lapsed.ts';

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
  /** Whether it was last seen more than an hour ago, or never. */
  readonly isUnseen: boolean;
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
export type AccountLookUp = (em: EntityManager, signer: Signer) => Promise<FoundAccount | null>;

interface Row {
  /** The place of the signer in the batch, from 1. */
  readonly place: number;
  readonly identity_id: number | null;
  readonly identity_email: string;
  readonly identity_is_stale: boolean;
  readonly email_is_taken: boolean;
  readonly is_of_another: boolean;
  readonly is_unseen: boolean;
}

/** SQL for whether the account's role is over, when it was last seen, and whether that should be noted again, with {@link SIGHTING_JOIN}. */
export const SIGHTING_COLUMNS = `${lapsedSql('users')} as is_lapsed,
           nullif(sightings.last_seen_at, '-infinity')::timestamptz as last_seen_at,
           coalesce(sightings.last_seen_at < now() - interval '1 hour', true) as is_unseen`;
export const SIGHTING_JOIN = 'left join sightings on sightings.user_id = users.id';

/**
 * Creates the look-up that every authenticated request begins with, shared by those that arrive together. Each signer gets an
 * entity of its own, like any other. It reads outside of a transaction of `em`.
 */
export function accountLookUp(source: MetadataSource, lookUps: LookUps): AccountLookUp {
  // Every column by name, cast to its type without a length: a prepared statement must return the same type after a
  // migration has added a column or widened one, or it fails on every connection that has prepared it.
  const columns = accountColumns(source).map(({ name, type }) => `users.${name}::${type}`);
  // A sub-query costs more than a join does, also where it is not run. An account has one identity of an issuer.
  const text = `
    select asked.place::int, ${columns.join(', ')},
           case when own.subject = asked.subject then own.id end::int as identity_id, own.email::text as identity_email,
           own.last_seen_at < now() - interval '1 hour' as identity_is_stale,
           own.email <> asked.email and named.id <> users.id as email_is_taken,
           own.id is not null and own.subject is distinct from asked.subject as is_of_another,
           ${SIGHTING_COLUMNS}
      from ${askedKeys('email', 'issuer', 'subject')}
      left join users as named on named.email = asked.email
      join users on users.id = coalesce(
        (select user_id from identities join users as known on known.id = user_id
          where issuer = asked.issuer and subject = asked.subject and cut_at is null),
        named.id
      )
      left join identities as own on own.user_id = users.id and own.issuer = asked.issuer and own.cut_at is null
      ${SIGHTING_JOIN}`;
  const rowOf = lookUps<Signer, Row>({
    name: 'accounts-of-signers',
    text,
    values: (signers) => [
      signers.map(({ email }) => email),
      signers.map(({ issuer }) => issuer),
      signers.map(({ subject }) => subject ?? null),
    ],
  });
  return async (em, signer) => {
    // PostgreSQL refuses a NUL, for all signers of a batch, and the driver replaces half a surrogate pair.
    if (![signer.email, signer.issuer, signer.subject ?? ''].every(isStorableText)) return null;
    const row = await rowOf(signer);
    return row === null ? null : foundIn(em, row);
  };
}

function foundIn(em: EntityManager, row: Row): FoundAccount {
  const {
    place,
    identity_id,
    identity_email,
    identity_is_stale,
    email_is_taken,
    is_of_another,
    is_unseen,
    ...account
  } = row;
  return {
    account: entityOf(em, account),
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
    isUnseen: is_unseen,
  };
}

/** The entity of a row of accounts, as a query of the ORM makes it: `em.map` takes twice the time, because it copies the values twice more. */
export function entityOf(em: EntityManager, account: object): User {
  const values = em.getDriver().mapResult<User>(account, em.getMetadata(User));
  return em
    .getEntityFactory()
    .create(User, values ?? {}, { merge: true, refresh: true, convertCustomTypes: true });
}
