import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { type EmbeddedDatabase, openEmbedded } from '../../src/database/embedded/index.ts';
import { tidyUp } from './after-test.ts';
import { dropTemplate, makeTemplate, SERVERS_VARIABLE, TEMPLATE_VARIABLE } from './database.ts';
import { bundlePrograms } from './programs.ts';
import { dataDirectory, makeRunDirectories, removeRunDirectories } from './run-directory.ts';

const TEMPLATE = `rollcall_template_${process.pid}`;

/** A given server, for one worker: what the change feed serves depends on all transactions of a server. */
const given = process.env['TEST_DATABASE_URL'];

let embedded: readonly EmbeddedDatabase[] = [];

/** Prepares what all tests share: programs to start, and PostgreSQL servers with a migrated template. */
export async function mochaGlobalSetup(): Promise<void> {
  makeRunDirectories();
  process.env[TEMPLATE_VARIABLE] = TEMPLATE;
  await Promise.all([startServers(), bundlePrograms()]);
}

/** Removes what the setup created. */
export async function mochaGlobalTeardown(): Promise<void> {
  if (given !== undefined) await dropTemplate(given, TEMPLATE);
  await Promise.all(embedded.map((server) => server.release()));
  removeRunDirectories();
}

/** What happens around each test of every file. */
export const mochaHooks = { afterEach: tidyUp };

/** Uses the server of `TEST_DATABASE_URL`, or starts an embedded one for each worker. */
async function startServers(): Promise<void> {
  if (given !== undefined && workers() > 1) {
    throw new Error('TEST_DATABASE_URL serves one worker: add --no-parallel.');
  }
  if (given === undefined) embedded = await startEmbedded(workers());
  else await makeTemplate(given, TEMPLATE);
  process.env[SERVERS_VARIABLE] = given ?? embedded.map(({ url }) => url).join(' ');
}

/** Starts servers on copies of one cluster: a copy takes a tenth of the time of initdb and the migrations. */
async function startEmbedded(count: number): Promise<readonly EmbeddedDatabase[]> {
  const folders = Array.from({ length: count }, (_, n) => join(dataDirectory(), `server-${n}`));
  const [first = '', ...others] = folders;
  const model = await startServer(first);
  await shortenSignIn(model.url);
  await makeTemplate(model.url, TEMPLATE);
  if (others.length === 0) return [model];
  // A server's files are consistent once it has stopped.
  await model.release();
  for (const other of others) await promisify(execFile)('cp', ['-a', first, other]);
  return Promise.all(folders.map(startServer));
}

function startServer(directory: string): Promise<EmbeddedDatabase> {
  return openEmbedded({
    directory,
    timeoutMs: 60_000,
    log: { info: () => undefined, warn: console.warn, error: console.error },
    // The tests' data need not survive a power cut.
    parameters: { fsync: 'off', max_connections: '300' },
  });
}

/** Makes PostgreSQL hash the password once for each of thousands of connections, instead of 4096 times. */
async function shortenSignIn(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const password = client.escapeLiteral(decodeURIComponent(new URL(url).password));
  await client.query(`set scram_iterations = 1; alter role current_user password ${password}`);
  await client.end();
}

/** How many processes run tests, by mocha's own reading of its options. */
function workers(): number {
  const { loadOptions } = createRequire(import.meta.url)('mocha/lib/cli/options.cjs') as {
    loadOptions(argv: readonly string[]): { parallel?: boolean; jobs?: number };
  };
  const { parallel = false, jobs = 1 } = loadOptions(process.argv.slice(2));
  return parallel ? jobs : 1;
}
