import pRetry from 'p-retry';
import { findFreePort } from '../../src/database/embedded/start.ts';
import { startServer } from '../support/server-process.ts';
import type { Case } from './cases.ts';
import type { BenchmarkServer } from './database.ts';
import { isUrl, joinRunning } from './running.ts';
import { type Clock, processClock, residentMb } from './usage.ts';

/** A server that is measured. */
export interface Contender {
  readonly name: string;
  readonly url: string;
  readonly clock: Clock;
  /** The processor time of its database, where that is not the benchmark's. */
  readonly databaseClock?: Clock;
  /** Its resident memory now, in megabytes. */
  resident(): Promise<number>;
  stop(): Promise<void>;
}

/**
 * Production settings, except for the limits, which a load generator would exceed, and the access log, which the bare server does
 * not have.
 */
export const UNLIMITED = {
  RATE_LIMIT_REQUESTS: '0',
  RATE_LIMIT_HISTORY_BYTES: '0',
  LOG_LEVEL: 'warn',
};

/** Starts the service as it is built in `dist/`, or in another folder. */
export function startRollcall(
  databaseUrl: string,
  env: NodeJS.ProcessEnv = UNLIMITED,
  { name = 'Rollcall', entry = 'dist/server.js' } = {},
): Promise<Contender> {
  return start(name, entry, {
    ENVIRONMENT: 'production',
    HOST: '127.0.0.1',
    INITIAL_ADMINS: 'root@example.com',
    DATABASE_URL: databaseUrl,
    ...env,
  });
}

/** Starts the bare server. */
export function startBare(databaseUrl: string): Promise<Contender> {
  return start('bare', 'test/benchmark/bare.ts', { DATABASE_URL: databaseUrl });
}

/** The servers that a case compares, the service first. They are stopped by whoever started them. */
export async function contendersOf(
  { env, isBare }: Case,
  database: BenchmarkServer,
  against: string | undefined,
  accounts: number,
): Promise<Contender[]> {
  const found = [await startRollcall(database.url, env)];
  if (isBare) found.push(await startBare(database.bareUrl));
  if (against === undefined) return found;
  // One that runs keeps the settings that it was started with.
  if (!isUrl(against))
    found.push(await startRollcall(database.url, env, { name: against, entry: `${against}/server.js` }));
  else if (env === undefined) found.push(await joinRunning(against, accounts));
  return found;
}

async function start(name: string, entry: string, env: NodeJS.ProcessEnv): Promise<Contender> {
  const port = await findFreePort();
  const { child, end, ended, output } = startServer({ ...env, PORT: `${port}` }, entry);
  const pid = child.pid ?? 0;
  const url = `http://127.0.0.1:${port}`;
  const failed = ended().then((code) => {
    throw new Error(`${name} ended with ${code} before it answered:\n${output.join('\n')}`);
  });
  await Promise.race([pRetry(() => fetch(url), { retries: 300, minTimeout: 20, maxTimeout: 200 }), failed]);
  failed.catch(() => undefined);
  return {
    name,
    url,
    clock: processClock(pid),
    resident: () => residentMb(pid),
    stop: async () => void (await end('SIGTERM')),
  };
}
