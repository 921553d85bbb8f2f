import { access, constants, mkdir, readFile, stat } from 'node:fs/promises';
import type { Place } from './cluster.ts';

/** A user and a group, as `chown` and `spawn` take them. */
export interface Ids {
  readonly uid: number;
  readonly gid: number;
}

interface Named extends Ids {
  readonly name: string;
}

/** The account that owns the cluster and runs PostgreSQL. */
export interface Account {
  readonly name: string;
  /**
   * Set when it is not this process's own account: then we are root, and files and processes are handed over.
   */
  readonly ids?: Ids;
}

/**
 * Makes the folder and says who is to run PostgreSQL in it: this process's account. Only root, as whom
 * PostgreSQL refuses to run, lends itself another: the owner of the data, else `postgres`, else `nobody`
 * (accounts that a machine has anyway: none is created).
 * @throws Error that names the folder and the remedy when it belongs to somebody else.
 */
export async function chooseAccount(place: Place): Promise<Account> {
  const me = process.geteuid?.();
  if (me === undefined) {
    throw new Error(
      'The embedded PostgreSQL does not run on Windows: set DATABASE_URL to a server you have.',
    );
  }
  const accounts = await readAccounts();
  const nameOf = (uid: number) => accounts.find((account) => account.uid === uid)?.name ?? `uid ${uid}`;
  const folder = await openFolder(place.directory, nameOf);
  const cluster = await ownerOf(place.cluster);
  if (me === 0) return accountForRoot(place, accounts, folder, cluster);
  if (cluster && cluster.uid !== me) {
    const owner = nameOf(cluster.uid);
    throw new Error(
      `${place.cluster} belongs to ${owner}, but this process runs as ${nameOf(me)}: run it as ${owner}, ` +
        `or hand the folder over: sudo chown -R ${me} ${place.directory}`,
    );
  }
  return { name: nameOf(me) };
}

function accountForRoot(place: Place, accounts: Named[], folder: Ids, cluster: Ids | undefined): Account {
  // Without Linux's /proc/self/cwd (see start.ts) the account would have to pass through root's folders.
  if (process.platform !== 'linux') {
    throw new Error('PostgreSQL refuses to run as root: start as an ordinary user, or set DATABASE_URL.');
  }
  const named = (name: string) => accounts.find((account) => account.name === name);
  const fallback = named('postgres') ?? named('nobody');
  if (!fallback) {
    throw new Error('PostgreSQL refuses to run as root; there is no account postgres or nobody.');
  }
  if (cluster?.uid === 0) {
    throw new Error(
      `${place.cluster} belongs to root, as whom PostgreSQL refuses to run: hand it over: ` +
        `chown -R ${fallback.name} ${place.cluster}`,
    );
  }
  // A folder of somebody's own, over which they ran `sudo npm start`: what
  // root makes there is to be theirs. (initdb wants an account with a name:
  // a bare number, as on a volume mounted into a container, will not do.)
  const own = folder.uid !== 0 ? accounts.find(({ uid }) => uid === folder.uid) : undefined;
  const { uid, gid } = cluster ?? (own && folder) ?? fallback;
  return { name: accounts.find((account) => account.uid === uid)?.name ?? `uid ${uid}`, ids: { uid, gid } };
}

async function openFolder(directory: string, nameOf: (uid: number) => string): Promise<Ids> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    const { uid, gid } = await stat(directory);
    return { uid, gid };
  } catch (cause) {
    const owner = await ownerOf(directory).catch(() => undefined);
    const whose = owner
      ? ` It belongs to ${nameOf(owner.uid)}: run as that account, or hand it over with chown.`
      : '';
    const { message } = cause as Error;
    throw new Error(`Cannot keep the embedded PostgreSQL in ${directory} (${message}).${whose}`, { cause });
  }
}

async function ownerOf(path: string): Promise<Ids | undefined> {
  try {
    const { uid, gid } = await stat(path);
    return { uid, gid };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function readAccounts(): Promise<Named[]> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  return passwd.split('\n').map((line) => {
    const [name = '', , uid, gid] = line.split(':');
    return { name, uid: Number(uid ?? Number.NaN), gid: Number(gid ?? Number.NaN) };
  });
}
