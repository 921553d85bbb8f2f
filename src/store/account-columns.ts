import type { EntityMetadata } from '@mikro-orm/core';
import { type Account, type Column, User } from '../domain/user.ts';
import { lapsedSql } from './lapsed.ts';
import type { RowOf } from './rows.ts';
import { lastSeenSql } from './tables/user.ts';

/** A column of `users`, as the ORM's metadata has it. */
export interface AccountColumn {
  readonly property: Column;
  readonly name: string;
  /** The PostgreSQL type, without a length. */
  readonly type: string;
  /** Its default, as SQL. */
  readonly default: string | undefined;
  /** What a new account has without being told: `undefined` where only the database knows. */
  readonly initial: unknown;
}

/** The columns of time that are dates. */
const TIMES: ReadonlySet<string> = new Set(['createdAt', 'updatedAt']);

/** What has metadata: the ORM, or an EntityManager. */
export interface MetadataSource {
  getMetadata(entity: typeof User): EntityMetadata<User>;
}

/** The columns of each ORM: its metadata stays as it is. */
const known = new WeakMap<EntityMetadata<User>, readonly AccountColumn[]>();

/** The columns of `users`: every statement that names them all takes them from here. */
export function accountColumns(source: MetadataSource): readonly AccountColumn[] {
  const metadata = source.getMetadata(User);
  let columns = known.get(metadata);
  if (columns === undefined) {
    columns = columnsOf(metadata);
    known.set(metadata, columns);
  }
  return columns;
}

function columnsOf(metadata: EntityMetadata<User>): readonly AccountColumn[] {
  return metadata.props
    .filter(({ persist }) => persist !== false)
    .map(({ name, fieldNames: [field = ''], columnTypes: [type = ''], defaultRaw, default: initial }) => ({
      property: name as Column,
      name: field,
      type: type.replace(/\(.*/, ''),
      default: defaultRaw,
      initial,
    }));
}

/** All columns of `users` for a `select` or a `returning`, each under its property's name: rows are accounts then, but for `lastSeenAt`. */
export function accountSelection(source: MetadataSource): string {
  const columns = accountColumns(source).map((column) => `${readingOf(column)} as "${column.property}"`);
  return [...columns, IS_LAPSED].join(', ');
}

const IS_LAPSED = `${lapsedSql('users')} as "isLapsed"`;

/** SQL of a column as an account has it: its end of a role is ISO 8601, which the driver does not make of it. */
export function readingOf({ property, name }: Pick<AccountColumn, 'property' | 'name'>): string {
  return property === 'roleUntil' ? isoTimeSql(`users.${name}`) : `users.${name}`;
}

/** SQL of a time as the history has it: ISO 8601, in UTC, with milliseconds. */
export function isoTimeSql(time: string): string {
  return `to_char(${time} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

/** An account as {@link accountTextSelection} reads it. */
export type AccountTexts = RowOf<Omit<Account, 'preferences' | 'lastSeenAt'>, 'createdAt' | 'updatedAt'> & {
  readonly lastSeenAt: string | null;
  /** JSON. */
  readonly preferences: string | null;
};

/**
 * Like {@link accountSelection}, with the preferences as JSON: for rows that leave as they are. Each has its type without a
 * length: a prepared statement fails once a migration has widened a column that it returns. `preferences` is SQL of a text, for those
 * who leave out long ones.
 */
export function accountTextSelection(
  source: MetadataSource,
  preferences = 'users.preferences::text',
): string {
  const columns = accountColumns(source).map((column) => {
    if (column.property === 'preferences') return `${preferences} as "preferences"`;
    const isText = column.type === 'timestamptz' && !TIMES.has(column.property);
    return `${readingOf(column)}::${isText ? 'text' : column.type} as "${column.property}"`;
  });
  return [...columns, IS_LAPSED, `${lastSeenSql('users.id')} as "lastSeenAt"`].join(', ');
}
