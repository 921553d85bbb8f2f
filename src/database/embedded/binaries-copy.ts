import { createHash } from 'node:crypto';
import { chmod, cp, lstat, mkdir, readdir, rename, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { draftOf, removeDraft, sweepDrafts } from './draft.ts';

/** Only root can write to the parent. In /tmp, another user could create this folder first. */
const CACHE = '/var/cache/rollcall';

/**
 * Copies PostgreSQL's programs (60 MB, once per version) to a folder where every user can run them, and returns its path.
 *
 * Root needs this in a project below a 0700 folder such as /root: the user that runs PostgreSQL cannot enter the folder,
 * and Rollcall must not change the permissions of the operator's folders.
 * @throws {Error} if the cache cannot be written, or if users other than root can write to it.
 */
export async function copyForAllUsers(native: string, version: string): Promise<string> {
  try {
    await mkdir(CACHE, { recursive: true, mode: 0o755 });
    await assertOnlyRootCanWrite(CACHE);
    await chmod(CACHE, 0o755); // undoes a umask of 077
    await sweepDrafts(CACHE);
    const target = join(CACHE, `postgres-${version}-${await computeFingerprint(native)}`);
    if (!(await lstat(target).catch(() => undefined))) await copy(native, target);
    await assertOnlyRootCanWrite(target);
    return target;
  } catch (cause) {
    throw new Error(
      `Root runs PostgreSQL as an ordinary user, who cannot reach ${native}, and a copy in ${CACHE} failed: ` +
        `${(cause as Error).message} Start as an ordinary user, or set DATABASE_URL.`,
      { cause },
    );
  }
}

async function copy(native: string, target: string): Promise<void> {
  const draft = draftOf(target);
  try {
    await cp(native, draft, { recursive: true, verbatimSymlinks: true });
    for (const entry of [draft, ...(await listTree(draft))]) {
      const { mode } = await lstat(entry);
      const isFile = (mode & 0o170000) === 0o100000;
      const isLink = (mode & 0o170000) === 0o120000;
      if (!isLink) await chmod(entry, isFile && (mode & 0o111) === 0 ? 0o644 : 0o755);
    }
    await rename(draft, target);
  } catch (error) {
    await removeDraft(draft);
    const lostRace = ['EEXIST', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!lostRace) throw error;
  }
}

/**
 * Distinguishes builds of one version. Names and sizes are enough, because npm has verified the hash of the package.
 */
async function computeFingerprint(native: string): Promise<string> {
  const hash = createHash('sha256');
  for (const path of await listTree(native)) {
    const found = await stat(path);
    // The size of a folder depends on the file system and would give one build several copies.
    if (found.isFile()) hash.update(`${relative(native, path)} ${found.size}\n`);
  }
  return hash.digest('hex').slice(0, 8);
}

async function listTree(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true });
  return entries.sort().map((entry) => join(folder, entry));
}

async function assertOnlyRootCanWrite(folder: string): Promise<void> {
  const { uid, mode } = await lstat(folder); // not stat: a link proves nothing about its target's safety
  const isFolder = (mode & 0o170000) === 0o040000;
  if (!isFolder || uid !== 0 || (mode & 0o022) !== 0) {
    throw new Error(`${folder} must be a folder that only root can write to: remove it.`);
  }
}
