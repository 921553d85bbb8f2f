import { existsSync } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pRetry from 'p-retry';
import { bundle } from '../../build.ts';
import { findFreePort } from '../../src/database/embedded/start.ts';
import { runDirectory } from '../support/run-directory.ts';
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
  /** The processor time of its database, if it has its own database. */
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

/** A build of the service: its name in the results, and the program. */
export interface Build {
  readonly name: string;
  readonly entry: string;
}

const ROLLCALL: Build = { name: 'Rollcall', entry: 'dist/server.js' };

/** The builds that the benchmark starts: `dist/`, and the folder that it is compared with. */
export function buildsOf(against: string | undefined): Build[] {
  if (against === undefined || isUrl(against)) return [ROLLCALL];
  return [ROLLCALL, { name: against, entry: `${against}/server.js` }];
}

/** Starts a build of the service. */
export function startRollcall(
  databaseUrl: string,
  env: NodeJS.ProcessEnv = UNLIMITED,
  { name, entry } = ROLLCALL,
): Promise<Contender> {
  return start(name, entry, {
    ENVIRONMENT: 'production',
    HOST: '127.0.0.1',
    INITIAL_ADMINS: 'root@example.com',
    DATABASE_URL: databaseUrl,
    ...env,
  });
}

/** The name of the bare server, which verifies each token as often as it comes, and of the one that keeps what it has verified. */
export const BARE = 'bare';
/** See {@link BARE}. */
export const BARE_CACHED = 'bare, tokens cached';

/** Starts the bare server, bundled like `dist/`: loading sources would take more memory. */
export async function startBare(databaseUrl: string, name = BARE): Promise<Contender> {
  const folder = join(runDirectory(), 'bare');
  if (!existsSync(folder))
    await bundle(folder, { bare: 'test/benchmark/bare.ts' }, { minifyWhitespace: true, minifySyntax: true });
  const env = { DATABASE_URL: databaseUrl, CACHE_TOKENS: `${name === BARE_CACHED}` };
  return start(name, join(folder, 'bare.js'), env);
}

/** The servers that a case compares, the service first. They are stopped by whoever started them. */
export async function contendersOf(
  { env, isBare }: Pick<Case, 'env' | 'isBare'>,
  database: BenchmarkServer,
  against: string | undefined,
  accounts: number,
): Promise<Contender[]> {
  const found: Contender[] = [];
  try {
    for (const build of buildsOf(against)) found.push(await startRollcall(database.url, env, build));
    if (isBare) for (const name of [BARE, BARE_CACHED]) found.push(await startBare(database.bareUrl, name));
    // One that runs keeps the settings that it was started with.
    if (against && isUrl(against) && env === undefined) found.push(await joinRunning(against, accounts));
    return found;
  } catch (error) {
    for (const contender of found) await contender.stop();
    throw error;
  }
}

async function start(name: string, entry: string, env: NodeJS.ProcessEnv): Promise<Contender> {
  const port = await findFreePort();
  // A file, as in production. To read its access log would take of the same processors.
  const log = join(runDirectory(), `${port}.log`);
  const file = await open(log, 'w');
  const { child, end, ended } = startServer({ ...env, PORT: `${port}` }, entry, undefined, file.fd);
  await file.close();
  const pid = child.pid ?? 0;
  const url = `http://127.0.0.1:${port}`;
  const failed = ended().then(async (code) => {
    throw new Error(`${name} ended with ${code} before it answered:\n${await readFile(log, 'utf8')}`);
  });
  await Promise.race([pRetry(() => fetch(url), { retries: 300, minTimeout: 20, maxTimeout: 200 }), failed]);
  failed.catch(() => undefined);
  return {
    name,
    url,
    clock: processClock(pid),
    resident: () => residentMb(pid),
    async stop() {
      await end('SIGTERM');
      await rm(log);
    },
  };
}
