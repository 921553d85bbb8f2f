import { createHash } from 'node:crypto';
import { chmod, cp, lstat, mkdir, readdir, rename, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { draftOf, remove, sweepDrafts } from './draft.ts';

/** Under a parent that only root writes, so that no other user can get there first, as in /tmp they could. */
const CACHE = '/var/cache/rollcall';

/**
 * Copies PostgreSQL's programs (60 MB) to where every
 * account can run them, once a version, and gives the path.
 *
 * Needed as root in a project under a 0700 folder such as /root: the account that PostgreSQL then runs as
 * cannot enter it, and the permissions of the user's folders are not ours to change.
 * @throws Error when the cache cannot be written, or is not safely root's.
 */
export async function copyForEveryone(native: string, version: string): Promise<string> {
  try {
    await mkdir(CACHE, { recursive: true, mode: 0o755 });
    await assertOnlyRootWrites(CACHE);
    await chmod(CACHE, 0o755); // a umask of 077 would close it
    await sweepDrafts(CACHE);
    const target = join(CACHE, `postgres-${version}-${await fingerprint(native)}`);
    if (!(await lstat(target).catch(() => undefined))) await copy(native, target);
    await assertOnlyRootWrites(target);
    return target;
  } catch (cause) {
    throw new Error(
      `As root, PostgreSQL runs under an ordinary account, which cannot reach ${native}; ` +
        `and a copy in ${CACHE} failed: ${(cause as Error).message}`,
      { cause },
    );
  }
}

async function copy(native: string, target: string): Promise<void> {
  const draft = draftOf(target);
  try {
    await cp(native, draft, { recursive: true, verbatimSymlinks: true });
    for (const entry of [draft, ...(await tree(draft))]) {
      const { mode } = await lstat(entry);
      const isFile = (mode & 0o170000) === 0o100000;
      const isLink = (mode & 0o170000) === 0o120000;
      if (!isLink) await chmod(entry, isFile && (mode & 0o111) === 0 ? 0o644 : 0o755);
    }
    await rename(draft, target);
  } catch (error) {
    await remove(draft);
    const lostRace = ['EEXIST', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!lostRace) throw error;
  }
}

/**
 * Tells builds of one version apart. Names and sizes are
 * enough: what npm installed was checked against its hash.
 */
async function fingerprint(native: string): Promise<string> {
  const hash = createHash('sha256');
  for (const path of await tree(native)) {
    const found = await stat(path);
    // A folder's size is the file system's affair: with it one build would get several copies.
    if (found.isFile()) hash.update(`${relative(native, path)} ${found.size}\n`);
  }
  return hash.digest('hex').slice(0, 8);
}

async function tree(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true });
  return entries.sort().map((entry) => join(folder, entry));
}

async function assertOnlyRootWrites(folder: string): Promise<void> {
  const { uid, mode } = await lstat(folder); // not stat: a link is nobody's proof
  const isFolder = (mode & 0o170000) === 0o040000;
  if (!isFolder || uid !== 0 || (mode & 0o022) !== 0) {
    throw new Error(`${folder} is not a folder that root alone may write: remove it.`);
  }
}
