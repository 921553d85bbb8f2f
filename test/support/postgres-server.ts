import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { findBinaries } from '../../src/database/embedded/binaries.ts';
import { locationOf } from '../../src/database/embedded/cluster.ts';
import { chooseOsUser } from '../../src/database/embedded/os-user.ts';
import { findFreePort } from '../../src/database/embedded/start.ts';
import { dataDirectory } from './run-directory.ts';
import { until } from './until.ts';

const run = promisify(execFile);

/** How to start a PostgreSQL server of a test's own. */
interface Options {
  /** Files of the data folder, readable to the server alone. */
  readonly files?: Readonly<Record<string, string>>;
  readonly settings?: Readonly<Record<string, string>>;
  /** The server to follow as a read-only standby. It must have been started by {@link startPostgres}. */
  readonly primary?: PostgresServer;
  /** What a standby begins with. Default: the primary's {@link PostgresServer.model}. */
  readonly model?: string;
  /** Where its folder is made. */
  readonly parent?: string;
}

/** A PostgreSQL server of a test's own, on loopback and on a Unix socket, whose superuser `postgres` needs no password. */
export interface PostgresServer {
  readonly port: number;
  /** The folder of its Unix socket. */
  readonly sockets: string;
  /** The data folder. */
  readonly data: string;
  /** A copy of the data folder before its first start. */
  readonly model: string;
  /** Runs SQL in the database `postgres`. */
  query<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]>;
  /** Whether its process runs. */
  isRunning(): boolean;
  /**
   * Ends it at once, and keeps its data. `SIGKILL` leaves it no time for anything; with `SIGINT`, it writes down everything first,
   * and sends it to its standbys.
   */
  stop(signal?: 'SIGQUIT' | 'SIGKILL' | 'SIGINT'): Promise<void>;
  /** Starts it again, on its old data and port. */
  start(): Promise<void>;
  /** Ends it, and removes its data. */
  remove(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const server of running) server.kill('SIGQUIT');
});

/** Starts one, of the embedded PostgreSQL. It ends with this process. */
export async function startPostgres({
  files = {},
  settings = {},
  primary,
  model: given,
  parent = dataDirectory(),
}: Options = {}): Promise<PostgresServer> {
  const folder = await mkdtemp(join(parent, 'postgres-'));
  const user = await chooseOsUser(locationOf(folder));
  const binaries = await findBinaries(user);
  const give = async (path: string) => {
    if (user.ids) await chown(path, user.ids.uid, user.ids.gid);
  };
  await give(folder);
  const [data, model] = [join(folder, 'data'), join(folder, 'model')];
  const as = { ...user.ids, cwd: folder, env: { LC_ALL: 'C' } };
  if (primary === undefined) {
    await run(
      binaries.initdb,
      ['-D', data, '--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'],
      as,
    );
    await run('cp', ['-a', data, model]);
  } else {
    await run('cp', ['-a', given ?? primary.model, data]);
    await writeFile(join(data, 'standby.signal'), '');
  }
  const write = async (name: string, text: string) => {
    await writeFile(join(data, name), text, { mode: 0o600 });
    await give(join(data, name));
  };
  for (const [name, text] of Object.entries(files)) await write(name, text);
  let port = 0;
  const choosePort = async () => {
    port = await findFreePort();
    const all = {
      listen_addresses: '127.0.0.1',
      port: String(port),
      unix_socket_directories: folder,
      fsync: 'off',
      ...(primary && { primary_conninfo: `host=${primary.sockets} port=${primary.port} user=postgres` }),
      ...settings,
    };
    // Not on the command line, which ALTER SYSTEM could not change.
    const lines = Object.entries(all).map(([name, value]) => `${name} = '${value}'\n`);
    await write('postgresql.auto.conf', lines.join(''));
  };
  await choosePort();
  let hasStarted = false;
  let server: ChildProcess | undefined;
  let said = '';
  const query = async <Row extends pg.QueryResultRow>(sql: string) => {
    const client = new pg.Client({ host: folder, port, user: 'postgres', database: 'postgres' });
    // A query that fails for it says so.
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  const isRunning = () => server !== undefined && server.exitCode === null && server.signalCode === null;
  const stop = async (signal: NodeJS.Signals = 'SIGQUIT') => {
    if (server === undefined || !isRunning()) return;
    const ended = once(server, 'exit');
    // SIGQUIT is an immediate shutdown: no session is waited for.
    server.kill(signal);
    await ended;
  };
  const start = async () => {
    // The memory of a killed server is in use until the last of its back ends has noticed.
    await until('PostgreSQL', tryToStart, 60_000);
  };
  const tryToStart = async () => {
    said = '';
    const child = spawn(binaries.postgres, ['-D', data], { ...as, stdio: ['ignore', 'ignore', 'pipe'] });
    server = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-10_000);
    });
    return until(
      'PostgreSQL',
      async () => {
        if (!isRunning()) {
          if (/still in use|lock file/.test(said)) return 'later';
          // Another program was quicker.
          if (!hasStarted && /could not bind/.test(said)) return choosePort().then(() => 'later');
          throw new Error(`PostgreSQL has ended: ${said}`);
        }
        return query('select 1').then(
          () => 'started',
          () => undefined,
        );
      },
      60_000,
    ).then((state) => state === 'started');
  };
  await start();
  hasStarted = true;
  return {
    port,
    sockets: folder,
    data,
    model,
    query,
    isRunning,
    stop,
    start,
    async remove() {
      await stop();
      await rm(folder, { recursive: true, maxRetries: 5 });
    },
  };
}
