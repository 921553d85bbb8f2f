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

/** The statement that puts the ids of all accounts into their table. The triggers must be committed. */
export function fillSql(home: string): string {
  return `insert into ${ID_TABLE} (id) select id from ${quoted(home)}.users order by id on conflict (id) do nothing`;
}

/** The same for so many accounts beyond an id, as `[beyond, limit]`: it returns the last id as `last`, `null` where there was none. */
export function fillPageSql(home: string): string {
  return `
    with page as (select id from ${quoted(home)}.users where id > ? order by id limit ?),
         filled as (insert into ${ID_TABLE} (id) select id from page on conflict (id) do nothing)
    select max(id) as last from page`;
}

/**
 * The statements that add the ids of accounts that were deleted before, by the history, and mend those of accounts that were created again or
 * deleted while the triggers were off. The last one sees what was deleted while the others ran.
 */
export function mendSql(home: string): string[] {
  const users = `${quoted(home)}.users`;
  return [
    `insert into ${ID_TABLE} (id, deleted_at)
select user_id, max(at) from ${quoted(home)}.changes where action = 'deleted' group by user_id order by user_id
on conflict (id) do nothing`,
    `update ${ID_TABLE} as ids set deleted_at = null
 where deleted_at is not null and exists (select from ${users} as users where users.id = ids.id)`,
    `update ${ID_TABLE} as ids set deleted_at = now()
 where deleted_at is null and not exists (select from ${users} as users where users.id = ids.id)`,
    `analyze ${ID_TABLE}`,
  ];
}

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
