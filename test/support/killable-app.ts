import { signHs256 } from '../../src/security/hmac.ts';
import { SECRET } from './app.ts';
import type { ConsoleApp } from './console-page.ts';
import { createMigratedDatabase } from './database.ts';
import { type ServerProcess, startServer } from './server-process.ts';
import { until } from './until.ts';

/** A service in a process of its own, which can be killed. */
export interface KillableApp extends ConsoleApp {
  /** Kills it in the middle of what it does. */
  kill(): Promise<void>;
  /** Starts it again at the same address, once the database has noticed that it is gone. */
  restart(): Promise<void>;
}

/** Starts one on a database of its own, without rate limits. */
export async function startKillableApp(): Promise<KillableApp> {
  const database = await createMigratedDatabase();
  let server: ServerProcess;
  const start = async (port: string) => {
    const env = {
      DATABASE_URL: database.url,
      PORT: port,
      RATE_LIMIT_REQUESTS: '0',
      RATE_LIMIT_HISTORY_BYTES: '0',
    };
    // The bundles of the tests have no console beside them.
    server = startServer(env, 'src/server.ts');
    return new URL(await server.ready());
  };
  const { origin: url, port } = await start('0');
  const left = `select 1 from pg_stat_activity where datname = current_database() and application_name = 'rollcall'`;
  return {
    url,
    database,
    async call(path, { as, ...init } = {}) {
      const headers = new Headers(init.headers);
      if (as !== undefined) headers.set('Authorization', `Bearer ${await signHs256(SECRET, as, '1h')}`);
      return fetch(new URL(path, url), { ...init, headers });
    },
    async kill() {
      await server.end('SIGKILL');
    },
    async restart() {
      await until('the end of its connections', async () => (await database.query(left)).length === 0);
      await start(port);
    },
    async close() {
      await server.end('SIGKILL');
      await database.drop();
    },
  };
}
