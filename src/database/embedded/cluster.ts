import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, open, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Account } from './account.ts';
import type { Binaries } from './binaries.ts';
import { draftOf, remove } from './draft.ts';
import { BARE_ENVIRONMENT } from './processes.ts';
import type { Deadline } from './retry.ts';

/** PostgreSQL's superuser, the owner of everything in the cluster. */
export const USER = 'rollcall';

/** Where an embedded database keeps its things, whether they exist yet or not. */
export interface Place {
  /** The folder given by the caller, made absolute. */
  readonly directory: string;
  /** What error messages call it. */
  readonly title: string;
  /** Appears whole, by one rename: the data and the password that opens them. */
  readonly cluster: string;
  readonly data: string;
  readonly password: string;
  /** What the running server, or the last one, had to say. */
  readonly log: string;
}

/** A cluster that exists: what one needs to recognise its server and to talk to it. */
export interface Cluster {
  readonly place: Place;
  readonly password: string;
  /** Passed to the server as `cluster_name`, so that its process can be told from all others. */
  readonly mark: string;
  /** The major version of the PostgreSQL that made it. */
  readonly major: string;
}

/** The paths under a directory. */
export function placeOf(directory: string): Place {
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
 * Reads the cluster at `place`; undefined when there is none yet.
 * @throws Error when a part of it is missing.
 */
export async function readCluster(place: Place): Promise<Cluster | undefined> {
  if (!(await stat(place.cluster).catch(() => undefined))) return undefined;
  try {
    const { ino } = await stat(place.data, { bigint: true });
    return {
      place,
      password: (await readFile(place.password, 'utf8')).trim(),
      mark: `rollcall-${ino}`, // stays the same when the folder is moved, unlike its path
      major: (await readFile(join(place.data, 'PG_VERSION'), 'utf8')).trim(),
    };
  } catch (cause) {
    throw new Error(
      `${place.cluster} is damaged (${(cause as Error).message}): restore it, or remove it to start empty.`,
      { cause },
    );
  }
}

/**
 * Reads the cluster at `place`, and makes it first (initdb, 1 s) when there is none. Any number of processes
 * may do so at once: the first to finish wins, the others use what it made.
 * @throws Error when it was made by another major version of PostgreSQL, or initdb fails.
 */
export async function ensureCluster(
  place: Place,
  binaries: Binaries,
  account: Account,
  deadline: Deadline,
): Promise<Cluster> {
  let cluster = await readCluster(place);
  if (!cluster) {
    await create(place, binaries, account, deadline);
    cluster = await readCluster(place);
  }
  if (!cluster) throw new Error(`${place.cluster} was removed while it was being opened.`);
  if (cluster.major !== binaries.major) {
    throw new Error(
      `${place.data} was made by PostgreSQL ${cluster.major}, and this is PostgreSQL ${binaries.major}, which ` +
        `cannot read it: dump it with the old version, or remove ${place.cluster} to start empty.`,
    );
  }
  return cluster;
}

async function create(place: Place, binaries: Binaries, account: Account, deadline: Deadline): Promise<void> {
  const draft = draftOf(place.cluster);
  const data = join(draft, 'data');
  const password = join(draft, 'password');
  try {
    await mkdir(data, { recursive: true, mode: 0o700 });
    await writeFile(password, randomBytes(32).toString('base64url'), { mode: 0o600 });
    if (account.ids) {
      for (const path of [password, data, draft]) await chown(path, account.ids.uid, account.ids.gid);
    }
    await initdb(data, binaries, account, deadline);
    await rename(draft, place.cluster);
    // A cluster that answered must not be gone after a power
    // cut because its new name was not yet on the disk.
    const folder = await open(place.directory);
    await folder.sync().finally(() => folder.close());
  } catch (error) {
    await remove(draft);
    const lostRace = ['EEXIST', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!lostRace) throw error;
  }
}

async function initdb(data: string, binaries: Binaries, account: Account, deadline: Deadline): Promise<void> {
  // Relative paths: as another account it could not walk the absolute ones (see start.ts).
  const where = [`--pgdata=${account.ids ? '/proc/self/cwd' : data}`, '--pwfile=../password'];
  const who = [`--username=${USER}`, '--auth=scram-sha-256'];
  // PostgreSQL's own C.UTF-8 and not the C library's: it sorts and folds alike on every machine.
  const text = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  try {
    await promisify(execFile)(binaries.initdb, [...where, ...who, ...text], {
      ...account.ids,
      cwd: data,
      env: BARE_ENVIRONMENT,
      timeout: deadline.left(),
      killSignal: 'SIGKILL',
    });
  } catch (cause) {
    const { stderr, message } = cause as Error & { stderr?: string };
    throw new Error(`initdb failed, as ${account.name} in ${data}: ${stderr?.trim() || message}`, { cause });
  }
}
