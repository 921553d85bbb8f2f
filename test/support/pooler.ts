import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { TestDatabase } from './database.ts';

/** A PgBouncer in front of a database, in transaction mode. */
export interface Pooler {
  /** The database's URL through the pooler. */
  readonly url: string;
  /** Kills it and starts it again, at the same address. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const pooler of running) pooler.kill('SIGKILL');
});

/** Starts one, with `extra` lines in its settings and so few connections that one waiting query would block the others. */
export async function startPooler(database: Pick<TestDatabase, 'url'>, extra = ''): Promise<Pooler> {
  const directory = await mkdtemp(join(tmpdir(), 'rollcall-pgbouncer-'));
  const target = new URL(database.url);
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await new Promise((closed) => probe.close(closed));
  const users = join(directory, 'users.txt');
  const config = join(directory, 'pgbouncer.ini');
  await writeFile(users, `"${target.username}" "${decodeURIComponent(target.password)}"`);
  await writeFile(
    config,
    `[databases]\n* = host=${target.hostname} port=${target.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n` +
      `listen_port = ${port}\nunix_socket_dir =\nauth_type = plain\nauth_file = ${users}\n` +
      `pool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 500\n${extra}\n`,
  );
  // It refuses to run as root, and its own user must be able to read its configuration.
  for (const [path, mode] of [
    [directory, 0o755],
    [users, 0o644],
    [config, 0o644],
  ] as const)
    await chmod(path, mode);
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  let pooler: ChildProcess;
  const start = async () => {
    const child = spawn('pgbouncer', [...user, config], { stdio: 'ignore' });
    pooler = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    for (let tries = 0; tries < 200; tries++) {
      const socket = connect(port, '127.0.0.1');
      const answered = await Promise.race([
        once(socket, 'connect').then(
          () => true,
          () => false,
        ),
        pause(1000),
      ]);
      socket.destroy();
      if (answered) break;
      await pause(20);
    }
  };
  const stop = async () => {
    if (pooler.exitCode !== null || pooler.signalCode !== null) return;
    const ended = once(pooler, 'exit');
    pooler.kill('SIGKILL');
    await ended;
  };
  await start();
  target.host = `127.0.0.1:${port}`;
  return {
    url: target.href,
    async restart() {
      await stop();
      await start();
    },
    async close() {
      await stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
