import { quoteIdentifier as quoted } from '../../database/quote-identifier.ts';
import { lapsedSql } from '../lapsed.ts';

/** The schema in which the app finds the accounts, and the view and the table in it. */
export const SCHEMA = 'rollcall';
export const VIEW_NAME = 'accounts';
export const ID_TABLE_NAME = 'account_ids';

/** The view of the accounts. */
const VIEW = `${SCHEMA}.${VIEW_NAME}`;

/** The table that the app's foreign keys reference. */
export const ID_TABLE = `${SCHEMA}.${ID_TABLE_NAME}`;

/** The function that returns the account which the app works for. */
const CURRENT_ACCOUNT = `${SCHEMA}.current_account()`;

/** The function that returns whether that is an admin. */
const IS_ADMIN = `${SCHEMA}.is_admin()`;

/** The functions of the triggers. */
const KEEP_IDS = `${SCHEMA}.keep_ids()`;
const REFUSE_WRITES = `${SCHEMA}.refuse_writes()`;

/** Everything in the schema that is ours. */
export const RELATIONS = [VIEW, ID_TABLE] as const;
export const FUNCTIONS = [CURRENT_ACCOUNT, IS_ADMIN, KEEP_IDS, REFUSE_WRITES] as const;

/** The triggers on the table of the accounts. */
export const TRIGGERS = ['users_keep_ids', 'users_keep_deleted_ids'] as const;

/** The setting in which the app names the account that it works for. */
const SETTING = `${SCHEMA}.account`;

/** What the comments on our objects begin with: nothing without it is replaced. The version counts what {@link interfaceSql} has made. */
export const OWNER = 'Rollcall, ';
export const OURS = `${OWNER}version 2`;

/** The statement that makes the schema. */
export const SCHEMA_SQL = [
  `create schema if not exists ${SCHEMA}`,
  `comment on schema ${SCHEMA} is '${OURS}: the accounts, for the tables of the app'`,
] as const;

/**
 * The statements that make or renew the interface to the accounts whose tables are in the schema `home`: a view, the ids, and functions for
 * row-level security. The view's types do not depend on the lengths of our columns. What runs with the rights of its owner names the schema
 * of everything that it uses.
 */
export function interfaceSql(home: string): string[] {
  const users = `${quoted(home)}.users`;
  const sightings = `${quoted(home)}.sightings`;
  // The clock itself would make the view one that PostgreSQL reads whole for each join with it.
  const isLapsed = lapsedSql('users', { accounts: users, clock: 'statement_timestamp()' });
  return [
    `create table if not exists ${ID_TABLE} (
  id int not null,
  deleted_at timestamptz null,
  constraint account_ids_pkey primary key (id)
)`,
    `comment on table ${ID_TABLE} is '${OURS}: the ids of the accounts, deleted ones too, for foreign keys'`,
    `create or replace function ${KEEP_IDS} returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    insert into ${ID_TABLE} (id) select id from changed order by id
    on conflict (id) do update set deleted_at = null;
  else
    insert into ${ID_TABLE} (id, deleted_at) select id, now() from changed order by id
    on conflict (id) do update set deleted_at = excluded.deleted_at;
  end if;
  return null;
end $$`,
    `create or replace view ${VIEW} as
select users.id,
       users.email::text as email,
       users.name::text as name,
       case when ${isLapsed} then 'user' else users.role::text end as role,
       users.status::text as status,
       users.storage_mode::text as storage_mode,
       coalesce(users.preferences, '{}') as preferences,
       users.version,
       users.created_at,
       users.updated_at,
       nullif(sightings.last_seen_at, '-infinity') as last_seen_at
  from ${users} as users left join ${sightings} as sightings on sightings.user_id = users.id`,
    `comment on view ${VIEW} is '${OURS}: the accounts, to read'`,
    `create or replace function ${REFUSE_WRITES} returns trigger language plpgsql set search_path = '' as $$
begin
  raise exception 'The view ${VIEW} is for reading: change accounts through Rollcall, which keeps their history.'
    using errcode = 'insufficient_privilege';
end $$`,
    `drop trigger if exists accounts_refuse_writes on ${VIEW}`,
    `create trigger accounts_refuse_writes instead of insert or update or delete on ${VIEW}
  for each row execute function ${REFUSE_WRITES}`,
    `create or replace function ${CURRENT_ACCOUNT} returns int
  language sql stable parallel safe security definer set search_path = '' as $$
  select id from ${users}
   where id = nullif(current_setting('${SETTING}', true), '')::int and status = 'active'
$$`,
    `create or replace function ${IS_ADMIN} returns boolean
  language sql stable parallel safe security definer set search_path = '' as $$
  select coalesce((select role = 'admin' from ${VIEW} where id = ${CURRENT_ACCOUNT}), false)
$$`,
    `comment on function ${CURRENT_ACCOUNT} is '${OURS}: the active account in the setting ${SETTING}'`,
    `comment on function ${IS_ADMIN} is '${OURS}: whether the active account in the setting ${SETTING} is an admin'`,
    `comment on function ${KEEP_IDS} is '${OURS}: a trigger'`,
    `comment on function ${REFUSE_WRITES} is '${OURS}: a trigger'`,
    `revoke all on function ${FUNCTIONS.join(', ')} from public`,
  ];
}

/** The statements that make the triggers on the accounts. They wait for whoever writes accounts, and these for them. */
export function triggersSql(home: string): string[] {
  const users = `${quoted(home)}.users`;
  const [created, deleted] = TRIGGERS;
  return [
    `create trigger ${created} after insert on ${users}
  referencing new table as changed for each statement execute function ${KEEP_IDS}`,
    `create trigger ${deleted} after delete on ${users}
  referencing old table as changed for each statement execute function ${KEEP_IDS}`,
  ];
}

/** Work on many rows, page by page, from the end of an order of theirs to its beginning. */
export interface Walk {
  /** The rows, in a table or with a condition. */
  readonly rows: string;
  /** The column of their order, which has an index. */
  readonly column: string;
  /** The type of its values; with what comes behind the last one. */
  readonly type: string;
  readonly end: string;
  /** Its values as text, for literals. */
  readonly text: string;
  /** The statements of a page, in one transaction: of the rows in a range of the column. */
  statements(range: string): readonly string[];
}

/** The order of ids: those of adopted accounts may be any integers. */
const BY_ID = { column: 'id', type: 'bigint', end: `${2 ** 31}`, text: 'id::text' };

/**
 * The walks that fill the table of ids, once the triggers are committed: with the ids of all accounts, and with those of accounts that were
 * deleted before, by the history. Where an account was deleted more than once, its last deletion counts, which comes first.
 */
export function fillWalks(home: string): Walk[] {
  const users = `${quoted(home)}.users`;
  const deletions = `${quoted(home)}.changes where action = 'deleted'`;
  return [
    {
      ...BY_ID,
      rows: `${users} where true`,
      statements: (range) => [
        `insert into ${ID_TABLE} (id) select id from ${users} where ${range} order by id on conflict (id) do nothing`,
      ],
    },
    {
      rows: deletions,
      column: 'at',
      type: 'timestamptz',
      end: 'infinity',
      text: `to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`,
      statements: (range) => [
        `insert into ${ID_TABLE} (id, deleted_at)
select user_id, max(at) from ${deletions} and ${range} group by user_id order by user_id
on conflict (id) do nothing`,
      ],
    },
  ];
}

/**
 * The walk that mends the ids of accounts that were created again or deleted while the triggers were off. It locks them first, and looks
 * again: a trigger that was quicker has left nothing to mend.
 */
export function mendWalk(home: string): Walk {
  const exists = `exists (select from ${quoted(home)}.users as users where users.id = ids.id)`;
  return {
    ...BY_ID,
    rows: `${ID_TABLE} where true`,
    statements: (range) => {
      const wrong = `${range} and (deleted_at is null) <> ${exists}`;
      return [
        `select count(*) from (select from ${ID_TABLE} as ids where ${wrong} for no key update) as locked`,
        `update ${ID_TABLE} as ids set deleted_at = case when ${exists} then null else now() end where ${wrong}`,
      ];
    },
  };
}

/** The statement that returns where the page before a value of the column begins, as text; nothing where it has all rows that are left. */
export function pageSql({ rows, column, type, text }: Walk): string {
  return `select ${text} as "begin" from ${rows} and ${column} < ?::${type} order by ${column} desc offset ? limit 1`;
}

/** The range of a page, which ends before a value of the column and begins with another, or with the first one. */
export function rangeOf({ column, type }: Walk, begin: string | undefined, end: string): string {
  const before = `${column} < '${end}'::${type}`;
  return begin === undefined ? before : `${column} >= '${begin}'::${type} and ${before}`;
}

/** The statement for good plans of what references the ids. */
export const ANALYZE_SQL = `analyze ${ID_TABLE}`;

/** The statements that let a role of the app use the interface. */
export function grantsSql(role: string): string[] {
  const name = quoted(role);
  return [
    `grant usage on schema ${SCHEMA} to ${name}`,
    `grant select on ${VIEW} to ${name}`,
    `grant select, references on ${ID_TABLE} to ${name}`,
    `grant execute on function ${CURRENT_ACCOUNT}, ${IS_ADMIN} to ${name}`,
  ];
}

/** The statements that remove the interface but its schema. They fail where something of the app depends on it. */
export function removalSql(home: string): string[] {
  const users = `${quoted(home)}.users`;
  return [
    ...TRIGGERS.map((name) => `drop trigger if exists ${name} on ${users}`),
    `drop table if exists ${ID_TABLE}`,
    `drop function if exists ${IS_ADMIN}, ${CURRENT_ACCOUNT}, ${KEEP_IDS}`,
    `drop view if exists ${VIEW}`,
    `drop function if exists ${REFUSE_WRITES}`,
  ];
}
