import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { type DatabaseUrl, parseDatabaseUrl } from '../../config/database-url.ts';
import { clientClass } from './client.ts';
import { hostChoice, type Target } from './host-choice.ts';
import type { StatementObserver } from './pipelined-client.ts';
import { MAX_SETTING, startupSettings } from './session-settings.ts';
import { encryptionAttempts, tlsOptions } from './tls.ts';

/** Where the database is, and how long to wait for it. */
export interface DatabaseSettings {
  /** `postgres://…`, password included. */
  readonly url: string;
  /** The most connections of a process, at least 2: the migrator needs one beside the boot lock's. */
  readonly poolMax: number;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
  /** Told of the statements of the pool. */
  readonly onStatement?: StatementObserver;
  /** How long a statement waits for a lock, where the connection is direct. Default: as long as it may take. */
  readonly lockTimeoutMs?: number;
  /** What the server must be. Default: the primary. */
  readonly role?: ServerRole;
  /** What is known since it was reached. Without it, the URL alone decides. */
  readonly found?: Found;
}

/** What reaching a database finds out for all connections to come. */
export interface Found {
  readonly encrypted: boolean;
  /** The schemas in which unqualified names are looked up: that of Rollcall's tables, and that of the trigram operators. */
  readonly searchPath?: readonly string[];
  /** Whether the server can look whether a client is still there. */
  readonly checksClients?: boolean;
  /** Whether the server can end sessions that are idle. */
  readonly endsIdle?: boolean;
  /** Whether the server can end transactions that take long. */
  readonly endsTransactions?: boolean;
}

/** What a server must be for a connection to stay: the primary, a standby to read from, or either. */
export type ServerRole = 'primary' | 'standby' | 'any';

/**
 * How to reach the database: directly, or through a pooler such as PgBouncer, which shares sessions with their settings,
 * prepared statements and locks.
 */
export type ConnectionMode = 'direct' | 'pooled';

/** How long an answer may be late beyond the statement timeout before the connection counts as dead, in milliseconds. */
const ANSWER_MARGIN_MS = 1_000;

/**
 * How long a connection is idle before the system asks whether its peer is there, in milliseconds. Firewalls and load balancers
 * forget silent connections after four minutes or more, and the system's own time is two hours.
 */
const KEEP_ALIVE_MS = 60_000;

/** How old a connection of the pool becomes, in seconds: later ones follow a name that points elsewhere, and free the server's caches. */
const MAX_AGE_S = 600;

/** The driver's configuration of a connection. */
export type ClientConfig = pg.PoolConfig &
  Target & { database: string; user: string; Client: typeof pg.Client };

/**
 * The driver's configuration of a connection. With a statement timeout of 0, as for migrations, only connecting has a time
 * limit.
 */
export function clientConfig(database: DatabaseSettings, mode: ConnectionMode): ClientConfig {
  const { connectTimeoutMs, statementTimeoutMs, lockTimeoutMs = 0, onStatement, found } = database;
  const { role = 'primary' } = database;
  const url = parseDatabaseUrl(database.url);
  const encrypted = found?.encrypted ?? encryptionAttempts(url)[0] ?? false;
  const targets = url.hosts.map(({ host, port }) => targetOf(url, host, port));
  const configOf = ({ host, port }: Target) => ({
    ...identityOf(url),
    host,
    port,
    application_name: url.applicationName ?? 'rollcall',
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    pipeline: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    maxLifetimeSeconds: MAX_AGE_S,
    enableChannelBinding: url.bindsChannel,
    // Never `undefined`, for which the driver reads variables of the environment.
    ssl: encrypted && tlsOptions(url.tls, host),
    ...(url.tls.isDirect && encrypted && { sslnegotiation: 'direct' as const }),
    ...(mode === 'direct' && url.options !== undefined && { options: url.options }),
  });
  const [first = targetOf(url, undefined, undefined)] = targets;
  // The tries share the time of a connection, so that the last host is reached within it.
  const share = { connectionTimeoutMillis: Math.ceil(connectTimeoutMs / targets.length) };
  return {
    ...configOf(first),
    Client: clientClass(
      startupSettings(mode, {
        statementTimeoutMs,
        lockTimeoutMs,
        searchPath: found?.searchPath ?? named(url.schema),
        checksClients: found?.checksClients ?? false,
        endsIdle: found?.endsIdle ?? false,
        endsTransactions: found?.endsTransactions ?? false,
      }),
      {
        url,
        encrypted,
        role,
        prepares: mode === 'direct',
        onStatement,
        // The server enforces its timeout, but the network may lose its answer, and a pooler may ignore the setting.
        patienceMs:
          statementTimeoutMs > 0 ? Math.min(statementTimeoutMs + ANSWER_MARGIN_MS, MAX_SETTING) : undefined,
        hosts:
          targets.length > 1
            ? hostChoice(targets, (target) => ({ ...configOf(target), ...share }))
            : undefined,
      },
    ),
  };
}

/** A client of the driver, which is not connected yet, and that may be told another name for itself. */
export function clientOf(database: DatabaseSettings, mode: ConnectionMode, name?: string): pg.Client {
  const { Client, ...config } = clientConfig(database, mode);
  return new Client({ ...config, ...(name !== undefined && { application_name: name }) });
}

/** Ends a connection, and does not wait for ever for a server that no longer answers. */
export async function endClient(
  client: pg.Client,
  { connectTimeoutMs }: Pick<DatabaseSettings, 'connectTimeoutMs'>,
): Promise<void> {
  await Promise.race([client.end(), delay(connectTimeoutMs, undefined, { ref: false })]);
  client.connection.stream.destroy();
}

/** The account and the database, with the driver's defaults: `PGUSER`, `PGPASSWORD` and a password file. */
function identityOf({ user, password, database }: DatabaseUrl) {
  const client = new pg.Client({ ...(user !== undefined && { user }), database });
  return { user: client.user ?? '', database, ...(password !== undefined && { password }) };
}

function targetOf(url: DatabaseUrl, host: string | undefined, port: number | undefined): Target {
  const client = new pg.Client({
    database: url.database,
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
  });
  return { host: client.host, port: client.port };
}

function named(schema: string | undefined): readonly string[] | undefined {
  return schema === undefined ? undefined : [schema];
}
