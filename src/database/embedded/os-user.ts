import { access, constants, mkdir, readFile, stat } from 'node:fs/promises';
import type { Location } from './cluster.ts';

/** A user id and a group id, as `chown` and `spawn` take them. */
export interface Ids {
  readonly uid: number;
  readonly gid: number;
}

interface PasswdEntry extends Ids {
  readonly name: string;
}

/** The operating system user that owns the cluster and runs PostgreSQL. */
export interface OsUser {
  readonly name: string;
  /** Set if it is another user than that of this process, which is then root and assigns files and processes to it. */
  readonly ids?: Ids;
}

/**
 * Creates the folder and chooses the user that runs PostgreSQL in it: the user of this process. PostgreSQL refuses to
 * run as root, so root chooses another existing user: the owner of the data, else `postgres`, else `nobody`.
 * @throws {Error} with the folder and the remedy if the folder belongs to another user.
 */
export async function chooseOsUser(location: Location): Promise<OsUser> {
  const uid = process.geteuid?.();
  if (uid === undefined) {
    throw new Error('The embedded PostgreSQL does not run on Windows: set DATABASE_URL to another server.');
  }
  const users = await readPasswd();
  const folder = await createFolder(location.directory, users);
  const cluster = await readOwner(location.cluster);
  if (uid === 0) return chooseUserForRoot(location, users, folder, cluster);
  if (cluster && cluster.uid !== uid) {
    const owner = nameUser(users, cluster.uid);
    throw new Error(
      `${location.cluster} belongs to ${owner}, but this process runs as ${nameUser(users, uid)}: run it as ` +
        `${owner}, or change the owner: sudo chown -R ${uid} ${location.directory}`,
    );
  }
  return { name: nameUser(users, uid) };
}

function chooseUserForRoot(
  location: Location,
  users: PasswdEntry[],
  folder: Ids,
  cluster: Ids | undefined,
): OsUser {
  // Without Linux's /proc/self/cwd (see start.ts), the user would have to traverse root's folders.
  if (process.platform !== 'linux') {
    throw new Error('PostgreSQL refuses to run as root: start as an ordinary user, or set DATABASE_URL.');
  }
  const find = (name: string) => users.find((user) => user.name === name);
  const fallback = find('postgres') ?? find('nobody');
  if (!fallback) {
    throw new Error(
      'PostgreSQL refuses to run as root, and there is no user postgres or nobody: start as an ordinary user, ' +
        'or set DATABASE_URL.',
    );
  }
  if (cluster?.uid === 0) {
    throw new Error(
      `${location.cluster} belongs to root, but PostgreSQL refuses to run as root: change the owner: ` +
        `chown -R ${fallback.name} ${location.cluster}`,
    );
  }
  // After `sudo npm start` in a user's folder, what root creates there must belong to that user. initdb requires a user
  // with a name: a bare uid, as on a volume mounted into a container, is not enough.
  const folderOwner = folder.uid !== 0 ? users.find((user) => user.uid === folder.uid) : undefined;
  const { uid, gid } = cluster ?? (folderOwner && folder) ?? fallback;
  return { name: nameUser(users, uid), ids: { uid, gid } };
}

async function createFolder(directory: string, users: PasswdEntry[]): Promise<Ids> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    const { uid, gid } = await stat(directory);
    return { uid, gid };
  } catch (cause) {
    const owner = await readOwner(directory).catch(() => undefined);
    const remedy = owner
      ? `: it belongs to ${nameUser(users, owner.uid)}; run as that user, or change the owner with chown`
      : ': set DATA_DIR to a folder that this user may write, or set DATABASE_URL';
    const { message } = cause as Error;
    throw new Error(`The embedded PostgreSQL cannot use ${directory} (${message})${remedy}.`, { cause });
  }
}

async function readOwner(path: string): Promise<Ids | undefined> {
  try {
    const { uid, gid } = await stat(path);
    return { uid, gid };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function nameUser(users: PasswdEntry[], uid: number): string {
  return users.find((user) => user.uid === uid)?.name ?? `uid ${uid}`;
}

async function readPasswd(): Promise<PasswdEntry[]> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  return passwd.split('\n').map((line) => {
    const [name = '', , uid, gid] = line.split(':');
    return { name, uid: Number(uid ?? Number.NaN), gid: Number(gid ?? Number.NaN) };
  });
}
