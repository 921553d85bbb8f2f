import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Daemon, startDaemon } from './daemon.ts';
import { until } from './until.ts';

const ROOT = join(import.meta.dirname, '../..');

/** A HAProxy with one of the configuration files that operators copy. */
export interface Haproxy {
  /** Kills it and starts it again. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts one, with a file of `config/` as it is. `env` has the values that the file leaves open (`presetenv`), among them `LISTEN`.
 * `address` is where it listens.
 */
export async function startHaproxy(
  file: string,
  env: Readonly<Record<string, string>>,
  address: { readonly host: string; readonly port: number },
): Promise<Haproxy> {
  const folder = await mkdtemp(join(tmpdir(), 'rollcall-haproxy-'));
  let haproxy: Daemon;
  const start = async () => {
    haproxy = await startDaemon({
      program: 'haproxy',
      args: ['-db', '-f', resolve(ROOT, file)],
      env: { ...env },
      cwd: folder,
      log: join(folder, 'log'),
    });
    await until('HAProxy', () => {
      if (!haproxy.isRunning()) throw new Error(`HAProxy has ended: ${haproxy.said()}`);
      return accepts(address);
    });
  };
  await start();
  return {
    async restart() {
      await haproxy.end('SIGKILL');
      await start();
    },
    async close() {
      await haproxy.end('SIGKILL');
      await rm(folder, { recursive: true });
    },
  };
}

/** Whether something listens at an address. */
export function accepts(address: { readonly host: string; readonly port: number }): Promise<boolean> {
  return new Promise((tell) => {
    const socket = connect(address);
    socket.once('connect', () => tell(true)).once('error', () => tell(false));
    socket.once('connect', () => socket.destroy());
  });
}
