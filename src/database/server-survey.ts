import type { EntityManager } from '@mikro-orm/postgresql';

/** The oldest version of PostgreSQL that runs every statement, as `server_version_num` has it. */
export const OLDEST_SERVER = 130_000;

/** From this age, in seconds, a transaction that has written is worth a look: the change feed waits for it. */
const OLD_WRITER_S = 5;

/** What a server says about itself and the session. */
export interface ServerSurvey {
  readonly version: string;
  readonly versionNumber: number;
  /** The version of TLS between the server and whoever is connected to it: this process or a pooler; `null`: none. */
  readonly tls: string | null;
  /** How many connections this role may open at most, by the server, the database and the role. */
  readonly connections: number;
  /** The settings with which a crash can take back what was acknowledged, as they are. */
  readonly unsafe: readonly string[];
  readonly hasAutovacuum: boolean;
  /** Whether the database knows letters beyond ASCII. */
  readonly knowsLetters: boolean;
  /** The session with the oldest transaction that has written, of those that this role may see, if it is old. */
  readonly oldestWriter: { readonly pid: number; readonly seconds: number } | null;
  /** The names of prepared transactions that are old. */
  readonly prepared: readonly string[];
}

/** SQL for how many connections this role may open at most, by the server, the database and the role. */
export const CONNECTIONS = `
  least(
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
      - coalesce(current_setting('reserved_connections', true)::int, 0),
    (select nullif(datconnlimit, -1) from pg_database where datname = current_database()),
    (select nullif(rolconnlimit, -1) from pg_roles where rolname = current_user))`;

const SURVEY = `
  select current_setting('server_version') as version, current_setting('server_version_num')::int as "versionNumber",
         (select version from pg_stat_ssl where pid = pg_backend_pid() and ssl) as tls,
         ${CONNECTIONS} as connections,
         (select coalesce(jsonb_agg(name || ' = off' order by name), '[]')
            from unnest(array['fsync', 'full_page_writes', 'synchronous_commit']) as name
           where current_setting(name) = 'off') as unsafe,
         current_setting('autovacuum') = 'on' as "hasAutovacuum",
         (select not (datctype in ('C', 'POSIX') and coalesce(to_jsonb(pg_database)->>'datlocprovider', 'c') = 'c')
            from pg_database where datname = current_database()) as "knowsLetters",
         (select to_jsonb(oldest) from (
            select pid, extract(epoch from clock_timestamp() - xact_start)::int as seconds from pg_stat_activity
             where backend_xid is not null and pid <> pg_backend_pid()
               and xact_start < clock_timestamp() - interval '${OLD_WRITER_S} seconds'
             order by xact_start limit 1) as oldest) as "oldestWriter",
         (select coalesce(jsonb_agg(gid order by prepared), '[]') from pg_prepared_xacts
           where prepared < clock_timestamp() - interval '${OLD_WRITER_S} seconds') as prepared`;

/** Asks a server about itself, in one query. */
export async function surveyServer(em: EntityManager): Promise<ServerSurvey> {
  const [row] = await em.execute<ServerSurvey[]>(SURVEY);
  return row as ServerSurvey;
}

/**
 * How far the server's clock is ahead of this machine's, and by how much that may be wrong, in milliseconds: the answer took some
 * time.
 */
export async function clockDifference(em: EntityManager): Promise<{ aheadMs: number; marginMs: number }> {
  const before = Date.now();
  const began = performance.now();
  const [row] = await em.execute<{ ms: number }[]>(
    'select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms',
  );
  const marginMs = (performance.now() - began) / 2;
  return { aheadMs: (row?.ms ?? 0) - (before + marginMs), marginMs };
}
