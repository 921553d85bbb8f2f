import type pg from 'pg';
import { IDLE_TIMEOUT, REQUIRED, TRANSACTION_TIMEOUT } from './session-settings.ts';

/** What a session finds of its database. */
export interface SessionSurvey {
  readonly pid: number;
  readonly user: string;
  readonly database: string;
  readonly encoding: string;
  readonly isStandby: boolean;
  /** Whether the server can end sessions that are idle. */
  readonly endsIdle: boolean;
  /** Whether the server can end transactions that take long. */
  readonly endsTransactions: boolean;
  /** The settings that statements rely on, as they are. */
  readonly settings: Readonly<Record<string, string>>;
  /** The schemas of the search path that exist and may be used, in its order. */
  readonly path: readonly string[];
  /** The first of them with Rollcall's tables in it. */
  readonly home: string | null;
  /** The schema of the trigram operators, wherever it is. */
  readonly trigramSchema: string | null;
}

// A ledger by the name of the ORM belongs to any application: only the table of the history beside it makes it ours.
const SURVEY = `
  select pg_backend_pid() as pid, current_user::text as "user", current_database()::text as database,
         current_setting('server_encoding') as encoding, pg_is_in_recovery() as "isStandby",
         current_setting('${IDLE_TIMEOUT}', true) is not null as "endsIdle",
         current_setting('${TRANSACTION_TIMEOUT}', true) is not null as "endsTransactions",
         (select jsonb_object_agg(name, current_setting(name)) from unnest($1::text[]) as name) as settings,
         to_jsonb(current_schemas(false)) as path,
         (select schema::text from unnest(current_schemas(false)) with ordinality as place (schema, ordinal)
           where to_regclass(format('%I.rollcall_migrations', schema)) is not null
              or (to_regclass(format('%I.mikro_orm_migrations', schema)) is not null
                  and to_regclass(format('%I.change_fields', schema)) is not null)
           order by ordinal limit 1) as home,
         (select nspname::text from pg_extension join pg_namespace on pg_namespace.oid = extnamespace
           where extname = 'pg_trgm') as "trigramSchema"`;

/** Asks a connected client for it, in one query. */
export async function surveySession(client: pg.Client): Promise<SessionSurvey> {
  const { rows } = await client.query<SessionSurvey>(SURVEY, [Object.keys(REQUIRED)]);
  return rows[0] as SessionSurvey;
}
