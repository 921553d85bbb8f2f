import type { EntityManager } from '@mikro-orm/postgresql';
import { LEDGER } from '../../database/ledger-name.ts';
import { quoteIdentifier as quoted } from '../../database/quote-identifier.ts';
import { FUNCTIONS, ID_TABLE, OURS, OWNER, RELATIONS, SCHEMA, TRIGGERS } from './interface-sql.ts';

/** What of the interface is there, and what is in its way. */
export interface Survey {
  /** The schema of our own tables. */
  readonly home: string;
  readonly role: string;
  readonly database: string;
  /** The schemas of the search path but ours. */
  readonly path: readonly string[];
  /** Whether new sessions would find our schema first, by the name of their role. */
  readonly needsPath: boolean;
  /** Whether this session would find it so too, as behind a pooler. */
  readonly isDiverted: boolean;
  readonly hasSchema: boolean;
  /** Whether the table of ids is there. */
  readonly hasIds: boolean;
  /** Whether the schema is ours to remove. */
  readonly ownsSchema: boolean;
  /** Whether the role may make tables in the schema, and let the app in. */
  readonly mayUse: boolean;
  readonly mayCreate: boolean;
  /** The triggers on the accounts that are there. */
  readonly triggers: readonly string[];
  /** Objects of others under the names of ours. */
  readonly foreign: readonly string[];
  readonly knowsReader: boolean;
}

/** The name of an object without its schema, as the catalog has it. */
function nameIn(object: string): string {
  return object.replace(`${SCHEMA}.`, '').replace('()', '');
}

const quotedList = (names: readonly string[]) => names.map((name) => `'${name}'`).join(', ');

// Not the first schema of the search path: with the default, `"$user", public`, a role named like the schema finds that first.
const HOME = `
  places as (
    select schema::text, ordinal from unnest(current_schemas(false)) with ordinality as place (schema, ordinal)
  ), home as (
    select schema from places where to_regclass(format('%I.${LEDGER}', schema)) is not null order by ordinal limit 1
  )`;

// By the catalog, because a role without rights on the schema may not look for a name in it.
const OBJECTS = `
  objects as (
    select format('${SCHEMA}.%s', relname) as name, obj_description(pg_class.oid, 'pg_class') as comment, pg_class.oid as relation
      from pg_class join pg_namespace on pg_namespace.oid = relnamespace
     where nspname = '${SCHEMA}' and relname in (${quotedList(RELATIONS.map(nameIn))})
    union all
    select format('${SCHEMA}.%s()', proname), obj_description(pg_proc.oid, 'pg_proc'), null
      from pg_proc join pg_namespace on pg_namespace.oid = pronamespace
     where nspname = '${SCHEMA}' and pronargs = 0 and proname in (${quotedList(FUNCTIONS.map(nameIn))})
  )`;

const SURVEY = `
  with ${HOME}, ${OBJECTS}, search_paths as (
    select setting, setrole <> 0 as "ofRole", setdatabase <> 0 as "ofDatabase"
      from pg_db_role_setting, unnest(setconfig) as setting
     where setting like 'search_path=%' and setrole in (0, (select oid from pg_roles where rolname = current_user))
       and setdatabase in (0, (select oid from pg_database where datname = current_database()))
  )
  select home.schema as home, current_user::text as role, current_database()::text as database,
         (select jsonb_agg(schema order by ordinal) from places where schema <> '${SCHEMA}' or schema = home.schema) as path,
         current_user = '${SCHEMA}' and home.schema <> '${SCHEMA}' and coalesce(
           (select setting from search_paths order by "ofRole" desc, "ofDatabase" desc limit 1), '$user') like '%$user%' as "needsPath",
         current_user = '${SCHEMA}' and home.schema <> '${SCHEMA}' and current_setting('search_path') like '%$user%' as "isDiverted",
         to_regnamespace('${SCHEMA}') is not null as "hasSchema",
         exists (select from objects where name = '${ID_TABLE}') as "hasIds",
         coalesce(obj_description(to_regnamespace('${SCHEMA}'), 'pg_namespace') like '${OWNER}%', false) as "ownsSchema",
         coalesce(has_schema_privilege(to_regnamespace('${SCHEMA}'), 'create')
           and has_schema_privilege(to_regnamespace('${SCHEMA}'), 'usage with grant option'), false) as "mayUse",
         has_database_privilege(current_database(), 'create') as "mayCreate",
         (select coalesce(jsonb_agg(tgname), '[]') from pg_trigger
           where tgrelid = to_regclass(format('%I.users', home.schema)) and tgname in (${quotedList(TRIGGERS)})) as triggers,
         (select coalesce(jsonb_agg(name), '[]') from objects where coalesce(comment, '') not like '${OWNER}%') as foreign,
         exists (select from pg_roles where rolname = ?) as "knowsReader"
    from home`;

/** Surveys a database for the publication to a role, in one query. */
export async function surveyOf(em: EntityManager, reader: string | undefined): Promise<Survey> {
  const [found] = await em.execute<Survey[]>(SURVEY, [reader ?? '']);
  return found as Survey;
}

/** Whether nothing is in the schema of the interface. */
export async function isSchemaEmpty(em: EntityManager): Promise<boolean> {
  const [row] = await em.execute<{ isEmpty: boolean }[]>(
    `select not exists (select from pg_depend where refclassid = 'pg_namespace'::regclass
              and refobjid = '${SCHEMA}'::regnamespace and deptype = 'n') as "isEmpty"`,
  );
  return row?.isEmpty === true;
}

/** What of a publication does not work; `undefined` where the accounts are not published. */
export async function publicationFaults(em: EntityManager): Promise<readonly string[] | undefined> {
  const [found] = await em.execute<
    { home: string; triggers: number; isCurrent: boolean; mayRead: boolean }[]
  >(`
    with ${HOME}, ${OBJECTS}
    select home.schema as home,
           (select count(*)::int from pg_trigger where tgrelid = to_regclass(format('%I.users', home.schema))
              and tgname in (${quotedList(TRIGGERS)}) and tgenabled in ('O', 'A')) as triggers,
           comment like '${OURS}:%' as "isCurrent",
           has_schema_privilege('${SCHEMA}', 'usage') and has_table_privilege(relation, 'select') as "mayRead"
      from home, objects where name = '${ID_TABLE}' and comment like '${OWNER}%'`);
  if (found === undefined) return undefined;
  const faults: string[] = [];
  if (!found.isCurrent) faults.push('another version of Rollcall has published the accounts');
  if (found.triggers < TRIGGERS.length) faults.push('triggers on the accounts are missing or off');
  if (!found.mayRead) return faults;
  const [wrong] = await em.execute<{ isWrong: boolean }[]>(`
    select exists (
      select from ${quoted(found.home)}.users full join ${ID_TABLE} as ids using (id)
       where ids.id is null or (users.email is null) <> (ids.deleted_at is not null)) as "isWrong"`);
  if (wrong?.isWrong) faults.push(`${ID_TABLE} does not agree with the accounts`);
  return faults;
}
