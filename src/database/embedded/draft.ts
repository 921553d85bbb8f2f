import { randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { exists } from './processes.ts';

/** Nothing here takes minutes to make: an older draft is dead, even if its maker's pid is in use again. */
const DEAD_AFTER_MS = 10 * 60_000;

const DRAFT = /\.new-(?<maker>\d+)-[0-9a-f]+$/;

const ours = new Set<string>();

/**
 * A path next to `path` at which to make what rename(2) then puts in place whole, so that a kill -9 at any
 * instant leaves nothing half made under the real name. The maker's pid is in it, for {@link sweepDrafts}.
 */
export function draftOf(path: string): string {
  const draft = `${path}.new-${process.pid}-${randomBytes(6).toString('hex')}`;
  ours.add(basename(draft));
  return draft;
}

/** Removes the drafts of makers that died. What cannot be removed now is left to the next call. */
export async function sweepDrafts(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const maker = DRAFT.exec(name)?.groups?.['maker'];
    if (maker === undefined || ours.has(name)) continue;
    const path = join(folder, name);
    if (await isDead(path, Number(maker))) await remove(path);
  }
}

/** Removes a draft, or as much of it as possible. */
export async function remove(path: string): Promise<void> {
  // A dead maker's initdb may still be writing in there: then this fails, and a later start sweeps the rest.
  await rm(path, { recursive: true, force: true, maxRetries: 2 }).catch(() => {});
}

async function isDead(path: string, maker: number): Promise<boolean> {
  // Our own pid on what is not ours: in a container the service has the same pid in every life.
  if (maker === process.pid || !exists(maker)) return true;
  const made = await stat(path).catch(() => undefined);
  return made !== undefined && Date.now() - made.mtimeMs > DEAD_AFTER_MS;
}
