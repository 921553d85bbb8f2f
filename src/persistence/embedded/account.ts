import { access, constants, mkdir, readFile, stat } from 'node:fs/promises';
import type { Place } from './cluster.ts';

/** A user and a group, as `chown` and `spawn` take them. */
export interface Ids {
  readonly uid: number;
  readonly gid: number;
}

/** The account that owns the cluster and runs PostgreSQL. */
export interface Account {
  readonly name: string;
  /** Set when it is not this process's own account: then we are root, and files and processes are handed over. */
  readonly ids?: Ids;
}

/**
 * Makes the folder and says who is to run PostgreSQL in it: this process's account. Only root, as whom PostgreSQL
 * refuses to run, lends itself another: the owner of the data, else `postgres`, else `nobody` (accounts that a
 * machine has anyway: none is created).
 * @throws Error that names the folder and the remedy when it belongs to somebody else.
 */
export async function chooseAccount(place: Place): Promise<Account> {
  const me = process.geteuid?.();
  if (me === undefined) {
    throw new Error(
      'The embedded PostgreSQL does not run on Windows: set DATABASE_URL to a server of your own.',
    );
  }
  const accounts = await readAccounts();
  const nameOf = (uid: number) => accounts.find((account) => account.uid === uid)?.name ?? `uid ${uid}`;
  const folder = await openFolder(place.directory, nameOf);
  const cluster = await ownerOf(place.cluster);

  if (me !== 0) {
    if (cluster && cluster.uid !== me) {
      throw new Error(
        `${place.cluster} belongs to ${nameOf(cluster.uid)}, but this process runs as ${nameOf(me)}: ` +
          `run it as ${nameOf(cluster.uid)}, or hand the folder over: sudo chown -R ${me} ${place.directory}`,
      );
    }
    return { name: nameOf(me) };
  }

  // Without Linux's /proc/self/cwd (see start.ts) the account would have to pass through root's folders.
  if (process.platform !== 'linux') {
    throw new Error('PostgreSQL refuses to run as root: start as an ordinary user, or set DATABASE_URL.');
  }
  const fallback =
    accounts.find(({ name }) => name === 'postgres') ?? accounts.find(({ name }) => name === 'nobody');
  if (cluster?.uid === 0) {
    throw new Error(
      `${place.cluster} belongs to root, as whom PostgreSQL refuses to run: hand it over: ` +
        `chown -R ${fallback?.name ?? 'an-account'} ${place.cluster}`,
    );
  }
  if (cluster) return { name: nameOf(cluster.uid), ids: cluster };
  // Somebody ran `sudo npm start` over a folder of their own: what root makes there is to be theirs. (initdb wants
  // an account with a name: a bare number, as on a volume mounted into a container, will not do.)
  const known = folder.uid !== 0 && accounts.some(({ uid }) => uid === folder.uid);
  if (known) return { name: nameOf(folder.uid), ids: folder };
  if (!fallback)
    throw new Error('PostgreSQL refuses to run as root, and there is no account `postgres` or `nobody`.');
  return { name: fallback.name, ids: { uid: fallback.uid, gid: fallback.gid } };
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
    throw new Error(
      `Cannot keep the embedded PostgreSQL in ${directory} (${(cause as Error).message}).${whose}`,
      {
        cause,
      },
    );
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

async function readAccounts(): Promise<(Ids & { name: string })[]> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  return passwd.split('\n').map((line) => {
    const [name = '', , uid, gid] = line.split(':');
    return { name, uid: Number(uid ?? Number.NaN), gid: Number(gid ?? Number.NaN) };
  });
}
