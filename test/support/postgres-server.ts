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
}

/** A PostgreSQL server of a test's own, on loopback and on a Unix socket, whose superuser `postgres` needs no password. */
export interface PostgresServer {
  readonly port: number;
  /** The folder of its Unix socket. */
  readonly sockets: string;
  /** A copy of the data folder before its first start. */
  readonly model: string;
  /** Runs SQL in the database `postgres`. */
  query<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]>;
  /** Ends it at once, and keeps its data. */
  stop(): Promise<void>;
  /** Ends it, and removes its data. */
  remove(): Promise<void>;
}

/** Starts one, of the embedded PostgreSQL. */
export async function startPostgres({
  files = {},
  settings = {},
  primary,
}: Options = {}): Promise<PostgresServer> {
  const folder = await mkdtemp(join(dataDirectory(), 'postgres-'));
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
    await run('cp', ['-a', primary.model, data]);
    await writeFile(join(data, 'standby.signal'), '');
  }
  const port = await findFreePort();
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
  for (const [name, text] of Object.entries({ ...files, 'postgresql.auto.conf': lines.join('') })) {
    await writeFile(join(data, name), text, { mode: 0o600 });
    await give(join(data, name));
  }
  let server: ChildProcess | undefined;
  let said = '';
  const query = async <Row extends pg.QueryResultRow>(sql: string) => {
    const client = new pg.Client({ host: folder, port, user: 'postgres', database: 'postgres' });
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  const stop = async () => {
    if (server === undefined || server.exitCode !== null) return;
    const ended = once(server, 'exit');
    // An immediate shutdown: no session is waited for.
    server.kill('SIGQUIT');
    await ended;
  };
  const start = async () => {
    server = spawn(binaries.postgres, ['-D', data], { ...as, stdio: ['ignore', 'ignore', 'pipe'] });
    server.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    await until('PostgreSQL', async () => {
      if (server?.exitCode !== null) throw new Error(`PostgreSQL has ended: ${said}`);
      return query('select 1').then(
        () => true,
        () => undefined,
      );
    });
  };
  await start();
  return {
    port,
    sockets: folder,
    model,
    query,
    stop,
    async remove() {
      await stop();
      await rm(folder, { recursive: true, maxRetries: 5 });
    },
  };
}
