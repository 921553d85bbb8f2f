import { chmodSync, existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The environment variables that tell a worker where the folders of this run are. */
const RUN_VARIABLE = 'ROLLCALL_TEST_DIRECTORY';
const DATA_VARIABLE = 'ROLLCALL_TEST_DATA_DIRECTORY';

/** The folder that Linux keeps in memory. */
const MEMORY = '/dev/shm';

/** More memory than the databases of a run need. */
const ROOM_BYTES = 3 * 1024 ** 3;

/** Creates the folders of this run. Workers inherit them. */
export function makeRunDirectories(): void {
  process.env[RUN_VARIABLE] = makeFolder(tmpdir());
  process.env[DATA_VARIABLE] = hasRoom() ? makeFolder(MEMORY) : process.env[RUN_VARIABLE];
}

/** Removes them, with everything that killed tests left there. */
export function removeRunDirectories(): void {
  for (const folder of new Set([runDirectory(), dataDirectory()])) {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The folder that the workers of this run share. Programs may run from there. */
export function runDirectory(): string {
  return process.env[RUN_VARIABLE] ?? tmpdir();
}

/**
 * The folder for the data of PostgreSQL servers, in memory if there is room. A test creates and removes some 300 files, one
 * for each table and index of its database.
 */
export function dataDirectory(): string {
  return process.env[DATA_VARIABLE] ?? tmpdir();
}

/**
 * A folder that the workers of this run share: the first one creates it by `make`. If two create it at once, the first to finish
 * wins.
 */
export async function sharedFolder(path: string, make: (draft: string) => Promise<unknown>): Promise<string> {
  if (existsSync(path)) return path;
  const draft = `${path}-${process.pid}`;
  await make(draft);
  await rename(draft, path).catch(() => rm(draft, { recursive: true }));
  return path;
}

function makeFolder(parent: string): string {
  const folder = mkdtempSync(join(parent, 'rollcall-test-'));
  // Other accounts pass through to their own folders in it.
  chmodSync(folder, 0o711);
  return folder;
}

function hasRoom(): boolean {
  if (!existsSync(MEMORY)) return false;
  const { bavail, bsize } = statfsSync(MEMORY);
  return bavail * bsize > ROOM_BYTES;
}
