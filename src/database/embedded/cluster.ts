import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, open, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Binaries } from './binaries.ts';
import { draftOf, removeDraft } from './draft.ts';
import type { OsUser } from './os-user.ts';
import { BARE_ENVIRONMENT } from './processes.ts';
import type { Deadline } from './retry.ts';

/** PostgreSQL's superuser, which owns everything in the cluster. */
export const USER = 'rollcall';

/** The paths of an embedded database, whether they exist or not. */
export interface Location {
  /** The absolute path of the caller's folder. */
  readonly directory: string;
  /** Its name in error messages. */
  readonly title: string;
  /** Contains the data and the password. Created by one rename, so it is never incomplete. */
  readonly cluster: string;
  readonly data: string;
  readonly password: string;
  /** The log of the running or the last server. */
  readonly log: string;
}

/** An existing cluster, and how to recognise and reach its server. */
export interface Cluster {
  readonly location: Location;
  readonly password: string;
  /** Passed to the server as `cluster_name`, which identifies its process. */
  readonly name: string;
  /** The major version of the PostgreSQL that created it. */
  readonly major: string;
}

/** `postgres://…` of the cluster's database `rollcall` on a port of 127.0.0.1, with its password: never log it. */
export function urlOf({ password }: Cluster, port: number): string {
  return `postgres://${USER}:${password}@127.0.0.1:${port}/rollcall`;
}

/** The location of the embedded database in a folder. */
export function locationOf(directory: string): Location {
  const root = resolve(directory);
  const cluster = join(root, 'cluster');
  return {
    directory: root,
    title: `The embedded PostgreSQL in ${root}`,
    cluster,
    data: join(cluster, 'data'),
    password: join(cluster, 'password'),
    log: join(root, 'server.log'),
  };
}

/**
 * Reads the cluster at `location`; `undefined` if there is none.
 * @throws {Error} if a part of it is missing.
 */
export async function readCluster(location: Location): Promise<Cluster | undefined> {
  if (!(await stat(location.cluster).catch(() => undefined))) return undefined;
  try {
    const { ino } = await stat(location.data, { bigint: true });
    return {
      location,
      password: (await readFile(location.password, 'utf8')).trim(),
      name: `rollcall-${ino}`, // unlike the path, the inode stays the same when the folder is moved
      major: (await readFile(join(location.data, 'PG_VERSION'), 'utf8')).trim(),
    };
  } catch (cause) {
    throw new Error(
      `${location.cluster} is damaged (${(cause as Error).message}): restore it, or remove it to start empty.`,
      { cause },
    );
  }
}

/**
 * Reads the cluster at `location`, or creates it (initdb, 1 s). Safe to call from several processes at once: the first
 * to finish wins, and the others use its cluster.
 * @throws {Error} if another major version of PostgreSQL created the cluster, or initdb fails.
 */
export async function ensureCluster(
  location: Location,
  binaries: Binaries,
  user: OsUser,
  deadline: Deadline,
  signal?: AbortSignal,
): Promise<Cluster> {
  let cluster = await readCluster(location);
  if (!cluster) {
    await createCluster(location, binaries, user, deadline, signal);
    cluster = await readCluster(location);
  }
  if (!cluster) throw new Error(`${location.cluster} was removed while it was opened: start again.`);
  if (cluster.major !== binaries.major) {
    throw new Error(
      `PostgreSQL ${binaries.major} cannot read ${location.data}, which PostgreSQL ${cluster.major} created: dump it ` +
        `with the old version, or remove ${location.cluster} to start empty.`,
    );
  }
  return cluster;
}

async function createCluster(
  location: Location,
  binaries: Binaries,
  user: OsUser,
  deadline: Deadline,
  signal: AbortSignal | undefined,
): Promise<void> {
  const draft = draftOf(location.cluster);
  const data = join(draft, 'data');
  const password = join(draft, 'password');
  try {
    await mkdir(data, { recursive: true, mode: 0o700 });
    await writeFile(password, randomBytes(32).toString('base64url'), { mode: 0o600 });
    if (user.ids) {
      for (const path of [password, data, draft]) await chown(path, user.ids.uid, user.ids.gid);
    }
    await runInitdb(data, binaries, user, deadline, signal);
    await rename(draft, location.cluster);
    // A power failure must not undo the rename of a cluster that is already in use.
    const folder = await open(location.directory);
    await folder.sync().finally(() => folder.close());
  } catch (error) {
    await removeDraft(draft);
    const lostRace = ['EEXIST', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!lostRace) throw error;
  }
}

async function runInitdb(
  data: string,
  binaries: Binaries,
  user: OsUser,
  deadline: Deadline,
  signal: AbortSignal | undefined,
): Promise<void> {
  // Relative paths, because another user may be unable to traverse the absolute ones (see start.ts).
  const paths = [`--pgdata=${user.ids ? '/proc/self/cwd' : data}`, '--pwfile=../password'];
  const access = [`--username=${USER}`, '--auth=scram-sha-256'];
  // PostgreSQL's own C.UTF-8, unlike the C library's, sorts and folds identically on every machine.
  const text = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  try {
    await promisify(execFile)(binaries.initdb, [...paths, ...access, ...text], {
      ...user.ids,
      cwd: data,
      env: BARE_ENVIRONMENT,
      timeout: deadline.left(),
      killSignal: 'SIGKILL',
      signal,
    });
  } catch (cause) {
    signal?.throwIfAborted();
    const { stderr, message } = cause as Error & { stderr?: string };
    throw new Error(`initdb failed as ${user.name} in ${data}: ${stderr?.trim() || message}`, { cause });
  }
}
