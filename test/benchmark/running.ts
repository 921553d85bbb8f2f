import { readdir, readFile, readlink } from 'node:fs/promises';
import type { Contender } from './contenders.ts';
import { fileOf, SIGN_INS } from './people.ts';
import { processClock, residentMb } from './usage.ts';

/** Whether this names a running build, and not a folder. */
export function isUrl(against: string): boolean {
  return URL.canParse(against) && /^https?:$/.test(new URL(against).protocol);
}

/** The origin of a build that runs on this machine. Throws for other URLs: its processor time and memory are in `/proc`. */
export function localOrigin(against: string): string {
  const { protocol, hostname, pathname, search, origin } = new URL(against);
  if (protocol !== 'http:' || hostname !== '127.0.0.1' || pathname !== '/' || search !== '')
    throw new Error('--against takes a folder, or a URL such as http://127.0.0.1:8001.');
  return origin;
}

const joined = new Map<string, Promise<Contender>>();

/**
 * A build that somebody has started, with a database of its own. The first call imports the benchmark's accounts there. Its
 * processor time and memory are NaN if its process is not found, and the processor time of its database always.
 */
export function joinRunning(url: string, accounts: number): Promise<Contender> {
  const found = joined.get(url) ?? join(url, accounts);
  joined.set(url, found);
  return found;
}

async function join(url: string, accounts: number): Promise<Contender> {
  await importPeople(url, accounts);
  const pid = await listenerAt(Number(new URL(url).port || 80));
  return {
    name: url,
    url,
    clock: pid === undefined ? unknown : processClock(pid),
    databaseClock: unknown,
    resident: () => (pid === undefined ? unknown() : residentMb(pid)),
    stop: async () => undefined,
  };
}

const unknown = async () => Number.NaN;

async function importPeople(url: string, accounts: number): Promise<void> {
  const root = await SIGN_INS.hs256('root@example.com');
  const me = await fetch(`${url}/v1/me`, { headers: root }).catch((cause) => {
    throw new Error(`Nothing answers at ${url}.`, { cause });
  });
  const account = (await me.json()) as { role?: string };
  if (account.role !== 'admin')
    throw new Error(
      `${url} answered ${me.status}: start it with the AUTH_SECRET of test/support/app.ts and INITIAL_ADMINS=root@example.com.`,
    );
  const answer = await fetch(`${url}/v1/users/import?mode=upsert`, {
    method: 'POST',
    headers: { ...root, 'Content-Type': 'application/x-ndjson' },
    body: fileOf(accounts),
  });
  if (answer.status !== 200) throw new Error(`${url} refused the import: ${await answer.text()}`);
}

/** The one process that listens on a port of this machine, if there is one and its files may be read. */
async function listenerAt(port: number): Promise<number | undefined> {
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8')));
  const inodes = new Set(tables.flatMap((table) => table.split('\n')).flatMap((line) => inodeOf(line, port)));
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const holders: number[] = [];
  for (const pid of pids) {
    const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
    const links = await Promise.all(files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => '')));
    if (links.some((link) => inodes.has(link))) holders.push(Number(pid));
  }
  return holders.length === 1 ? holders[0] : undefined;
}

/** The socket that a line of `/proc/net/tcp` has, as `/proc/PID/fd` names it, where it listens (0A) on the port. */
function inodeOf(line: string, port: number): string[] {
  const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
  const isIt = state === '0A' && Number.parseInt(local.split(':')[1] ?? '', 16) === port;
  return isIt ? [`socket:[${inode}]`] : [];
}
