import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import type { Account } from './account.ts';
import type { Binaries } from './binaries.ts';
import type { Cluster } from './cluster.ts';
import { draftOf, remove } from './draft.ts';
import { findPostmaster } from './postmaster.ts';
import { BARE_ENVIRONMENT } from './processes.ts';
import { type Deadline, retry, TryAgain } from './retry.ts';

/** Everything a start needs to know. */
export interface Setup {
  readonly cluster: Cluster;
  readonly binaries: Binaries;
  readonly account: Account;
  /** Server settings of the caller's. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** What passes by itself, in the words of a server that gives up its start. */
const PASSING: readonly [RegExp, string][] = [
  [/lock file .* (already exists|is empty)/, 'another process is starting it'],
  [/shared memory block .* is still in use/, 'queries of a killed server still run'],
  [/was terminated by signal 9/, 'one of its processes was killed'],
  [/received \w+ shutdown request/, 'somebody stopped it'],
];

/** Somebody else listens on the port. */
export class PortTaken extends TryAgain {}

/**
 * Starts the cluster's server on a port of 127.0.0.1, waits until it is ready, and gives its pid. It runs in
 * a session of its own, where no Ctrl-C reaches it, and outlives us.
 * @param dead the pid in the lock file of a server found dead.
 * @throws TryAgain when another process is quicker, or what is left of a killed server is still going down;
 *   PortTaken; Error with the server's last words when it cannot start.
 */
export async function startServer(
  setup: Setup,
  port: number,
  dead: number | undefined,
  deadline: Deadline,
): Promise<number> {
  const { cluster } = setup;
  const draft = draftOf(cluster.place.log);
  const log = await open(draft, 'wx+', 0o600);
  try {
    const server = await spawnServer(setup, port, dead, log.fd);
    const ended = () => server.exitCode !== null || server.signalCode !== null;
    try {
      const trouble = await retry(deadline, cluster.place.title, async () => {
        if (ended()) return verdict(log, server);
        const found = await findPostmaster(cluster);
        if (found?.pid === server.pid && found?.state === 'ready') return undefined;
        throw new TryAgain('it is still starting');
      });
      if (trouble) throw trouble;
    } finally {
      // Also that of a server still recovering at the deadline: it goes on, and the next to come adopts it.
      if (!ended()) await rename(draft, cluster.place.log);
    }
    return server.pid as number;
  } finally {
    await log.close();
    await remove(draft);
  }
}

async function spawnServer(
  setup: Setup,
  port: number,
  dead: number | undefined,
  log: number,
): Promise<ChildProcess> {
  const { binaries, account, cluster } = setup;
  try {
    const server = spawn(binaries.postgres, serverArguments(setup, port), {
      ...account.ids,
      cwd: cluster.place.data,
      env: environment(dead),
      detached: true,
      stdio: ['ignore', log, log],
    });
    await once(server, 'spawn'); // rejects on 'error'; what is not a matter of the file, spawn throws
    server.unref();
    return server;
  } catch (cause) {
    const { message } = cause as Error;
    throw new Error(`Cannot run ${binaries.postgres} as ${account.name}: ${message}`, { cause });
  }
}

/** A port of 127.0.0.1 that nobody listens on; somebody may before we do. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function serverArguments({ cluster, account, parameters }: Setup, port: number): string[] {
  const settings = {
    // Errors reach whoever made them; in the log they would pile up, with the values that people sent.
    log_min_messages: 'log',
    log_min_error_statement: 'panic',
    log_checkpoints: 'off',
    ...parameters,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    port: String(port),
    cluster_name: cluster.mark,
    // One way back from every crash, ours. PostgreSQL's own, which reinitialises in place, can be left
    // hanging for good by a second kill in the middle of it: it then lives and answers nobody.
    restart_after_crash: 'off',
  };
  // Another account cannot walk through root's 0700 folders to the data, whose permissions are not ours to
  // change. spawn changes into `cwd` while still root, and the link leads there without walking.
  const data = account.ids ? '/proc/self/cwd' : cluster.place.data;
  return ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

/**
 * PostgreSQL refuses to start while the pid in its lock file lives, though it may be another program's by
 * now, or an unreaped zombie's. It makes an exception for the pid it is given as its grandparent's: so it
 * replaces the file itself, in its own careful order, where removing it from here could hit that of a server
 * just starting. Should a backend of the dead server still be at work, then the shared memory says so, and no
 * start succeeds until it has left.
 */
function environment(dead: number | undefined): NodeJS.ProcessEnv {
  return { ...BARE_ENVIRONMENT, ...(dead && { PG_GRANDPARENT_PID: String(dead) }) };
}

/** What the end of a server before it was ready means, by what it wrote. */
async function verdict(log: FileHandle, { exitCode, signalCode }: ChildProcess): Promise<Error> {
  const { buffer, bytesRead } = await log.read(Buffer.alloc(64 * 1024), { position: 0 });
  const words = buffer.toString('utf8', 0, bytesRead).trim();
  if (/could not bind .*: Address already in use/.test(words)) return new PortTaken('its port is taken');
  const passing = PASSING.find(([pattern]) => pattern.test(words));
  if (passing) return new TryAgain(passing[1]);
  if (signalCode === 'SIGKILL') return new TryAgain('it was killed');
  const tail = words.split('\n').slice(-10).join('\n');
  return new Error(
    `The embedded PostgreSQL does not start:\n${tail || signalCode || `exit code ${exitCode}`}`,
  );
}
