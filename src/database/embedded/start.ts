import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import type { Binaries } from './binaries.ts';
import type { Cluster } from './cluster.ts';
import { draftOf, removeDraft } from './draft.ts';
import type { OsUser } from './os-user.ts';
import { findPostmaster } from './postmaster.ts';
import { BARE_ENVIRONMENT } from './processes.ts';
import { type Deadline, retry, TryAgain } from './retry.ts';

/** The parameters of a server start. */
export interface Setup {
  readonly cluster: Cluster;
  readonly binaries: Binaries;
  readonly user: OsUser;
  /** The caller's server settings. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** Log messages of a server that failed to start for a temporary reason. */
const TEMPORARY_FAILURES: readonly [RegExp, string][] = [
  [/lock file .* (already exists|is empty)/, 'another process is starting it'],
  [/shared memory block .* is still in use/, 'queries of a killed server are still running'],
  [/was terminated by signal 9/, 'one of its processes was killed'],
  [/received \w+ shutdown request/, 'another process stopped it'],
];

/** Another process listens on the port. */
export class PortTaken extends TryAgain {}

/**
 * Starts the cluster's server on a port of 127.0.0.1, waits until it is ready, and returns its pid. The server runs in
 * its own session, which Ctrl-C does not reach, and outlives this process.
 * @param deadPid the pid in the lock file of a dead server.
 * @throws {TryAgain} if another process is faster, or the remains of a killed server are still stopping.
 * @throws {PortTaken}
 * @throws {Error} with the end of the server's log if it cannot start.
 */
export async function startServer(
  setup: Setup,
  port: number,
  deadPid: number | undefined,
  deadline: Deadline,
): Promise<number> {
  const { cluster } = setup;
  const draft = draftOf(cluster.location.log);
  const log = await open(draft, 'wx+', 0o600);
  try {
    const server = await spawnServer(setup, port, deadPid, log.fd);
    const hasEnded = () => server.exitCode !== null || server.signalCode !== null;
    try {
      const failure = await retry(deadline, cluster.location.title, async () => {
        if (hasEnded()) return diagnose(log, server);
        const found = await findPostmaster(cluster);
        if (found?.pid === server.pid && found?.state === 'ready') return undefined;
        throw new TryAgain('it is still starting');
      });
      if (failure) throw failure;
    } finally {
      // Also if the server is still recovering at the deadline: it continues, and the next process adopts it.
      if (!hasEnded()) await rename(draft, cluster.location.log);
    }
    return server.pid as number;
  } finally {
    await log.close();
    await removeDraft(draft);
  }
}

async function spawnServer(
  setup: Setup,
  port: number,
  deadPid: number | undefined,
  log: number,
): Promise<ChildProcess> {
  const { binaries, user, cluster } = setup;
  try {
    const server = spawn(binaries.postgres, buildArguments(setup, port), {
      ...user.ids,
      cwd: cluster.location.data,
      env: buildEnvironment(deadPid),
      detached: true,
      stdio: ['ignore', log, log],
    });
    await once(server, 'spawn'); // rejects on 'error'; spawn itself throws the errors that do not concern the file
    server.unref();
    return server;
  } catch (cause) {
    const { message } = cause as Error;
    throw new Error(`${binaries.postgres} cannot run as ${user.name}: ${message}`, { cause });
  }
}

/** Finds a free port of 127.0.0.1. Another process may take it before the caller does. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function buildArguments({ cluster, user, parameters }: Setup, port: number): string[] {
  const settings = {
    // The client receives its errors. In the log they would accumulate, with the values in the statements.
    log_min_messages: 'log',
    log_min_error_statement: 'panic',
    log_checkpoints: 'off',
    ...parameters,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    port: String(port),
    cluster_name: cluster.name,
    // HeldDatabase alone recovers from crashes. A second kill during PostgreSQL's own recovery, which reinitialises in
    // place, can leave a server that runs but never responds.
    restart_after_crash: 'off',
  };
  // Another user cannot traverse root's 0700 folders to the data, and Rollcall must not change their permissions. spawn
  // changes into `cwd` while still root, and this link leads there without traversal.
  const data = user.ids ? '/proc/self/cwd' : cluster.location.data;
  return ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

/**
 * PostgreSQL refuses to start while the pid in its lock file exists, even if that is now another program or a zombie.
 * It ignores the pid of its grandparent, so declaring the dead pid as such makes PostgreSQL replace the file itself,
 * safely. Removing the file from here could hit the file of a server that is just starting. If a backend of the dead
 * server still runs, the shared memory shows it, and no start succeeds until it has ended.
 */
function buildEnvironment(deadPid: number | undefined): NodeJS.ProcessEnv {
  return { ...BARE_ENVIRONMENT, ...(deadPid && { PG_GRANDPARENT_PID: String(deadPid) }) };
}

/** The error for a server that ended before it was ready, according to its log. */
async function diagnose(log: FileHandle, { exitCode, signalCode }: ChildProcess): Promise<Error> {
  const { buffer, bytesRead } = await log.read(Buffer.alloc(64 * 1024), { position: 0 });
  const output = buffer.toString('utf8', 0, bytesRead).trim();
  if (/could not bind .*: Address already in use/.test(output)) return new PortTaken('its port is taken');
  const temporary = TEMPORARY_FAILURES.find(([pattern]) => pattern.test(output));
  if (temporary) return new TryAgain(temporary[1]);
  if (signalCode === 'SIGKILL') return new TryAgain('it was killed');
  const tail = output.split('\n').slice(-10).join('\n');
  return new Error(`The embedded PostgreSQL cannot start:\n${tail || signalCode || `exit code ${exitCode}`}`);
}
