import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedDatabase, openEmbedded } from '../../src/database/embedded/index.ts';
import { dropTemplate, makeTemplate, SERVER_URL_VARIABLE } from './database.ts';

let embedded: EmbeddedDatabase | undefined;
let directory: string | undefined;

/** One PostgreSQL server for all tests, `TEST_DATABASE_URL` or an embedded one, with a migrated template on it. */
export async function mochaGlobalSetup(): Promise<void> {
  let url = process.env['TEST_DATABASE_URL'];
  if (url === undefined) {
    directory = await mkdtemp(join(tmpdir(), 'rollcall-test-'));
    embedded = await openEmbedded({
      directory,
      timeoutMs: 60_000,
      log: { info: () => undefined, warn: console.warn, error: console.error },
      // The tests' data need not survive a power cut.
      parameters: { fsync: 'off', max_connections: '300' },
    });
    url = embedded.url;
  }
  process.env[SERVER_URL_VARIABLE] = url;
  await makeTemplate();
}

/** Leaves the server as it was found. */
export async function mochaGlobalTeardown(): Promise<void> {
  await dropTemplate();
  await embedded?.release();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
}
