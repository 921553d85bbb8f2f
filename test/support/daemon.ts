import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';

/** How to run a program of this machine in the background. */
export interface DaemonOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** All of its environment but `PATH`. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Another account than that of this process. */
  readonly ids?: { readonly uid: number; readonly gid: number } | undefined;
  /** The file that its output is added to. */
  readonly log: string;
}

/** A program of this machine that runs in the background and ends with this process. */
export interface Daemon {
  readonly pid: number;
  isRunning(): boolean;
  /** Sends a signal, and resolves once it has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** What it has said last, for the message of a failure. */
  said(): string;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts one. Throws where the program is not there. */
export async function startDaemon({ program, args, env, cwd, ids, log }: DaemonOptions): Promise<Daemon> {
  const file = openSync(log, 'a');
  const child = spawn(program, args, {
    cwd,
    ...ids,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', file, file],
  });
  closeSync(file);
  await once(child, 'spawn').catch((error: Error) => {
    throw new Error(`${program} does not run: install it (on Debian, the package of that name).`, {
      cause: error,
    });
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  return {
    pid: child.pid ?? 0,
    isRunning,
    async end(signal) {
      if (!isRunning()) return;
      const ended = once(child, 'exit');
      child.kill(signal);
      await ended;
    },
    said: () => readFileSync(log, 'utf8').slice(-2_000),
  };
}
