import { randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { processExists } from './processes.ts';

/** Creating a draft takes seconds: an older one is abandoned, even if its creator's pid is in use again. */
const ABANDONED_AFTER_MS = 10 * 60_000;

const DRAFT = /\.new-(?<creator>\d+)-[0-9a-f]+$/;

const ownDrafts = new Set<string>();

/**
 * A draft path next to `path`. Build a file or folder there and rename(2) it into place, so that a kill -9 at any
 * moment never leaves an incomplete one at `path`. Contains the creator's pid, for {@link sweepDrafts}.
 */
export function draftOf(path: string): string {
  const draft = `${path}.new-${process.pid}-${randomBytes(6).toString('hex')}`;
  ownDrafts.add(basename(draft));
  return draft;
}

/** Removes the drafts of dead processes. Leaves what it cannot remove to the next call. */
export async function sweepDrafts(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const creator = DRAFT.exec(name)?.groups?.['creator'];
    if (creator === undefined || ownDrafts.has(name)) continue;
    const path = join(folder, name);
    if (await isAbandoned(path, Number(creator))) await removeDraft(path);
  }
}

/** Removes a draft, or as much of it as possible. Never throws. */
export async function removeDraft(path: string): Promise<void> {
  // The initdb of a dead process may still write to it: then this fails, and a later start removes the rest.
  await rm(path, { recursive: true, force: true, maxRetries: 2 }).catch(() => {});
}

async function isAbandoned(path: string, creator: number): Promise<boolean> {
  // A draft with our pid that is not ours is from an earlier run: in a container, each run may have the same pid.
  if (creator === process.pid || !processExists(creator)) return true;
  const stats = await stat(path).catch(() => undefined);
  return stats !== undefined && Date.now() - stats.mtimeMs > ABANDONED_AFTER_MS;
}
