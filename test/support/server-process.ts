import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { SECRET } from './app.ts';
import { programEnvironment, programOf } from './programs.ts';

const ROOT = join(import.meta.dirname, '../..');

/** How long a test waits for a process, in milliseconds. */
const PATIENCE_MS = 60_000;

/** A log line of a server. */
export type LogLine = Record<string, unknown> & { msg: string };

/** A server in its own process, as an operator runs it. */
export interface ServerProcess {
  readonly child: ChildProcess;
  readonly lines: LogLine[];
  /** Its output so far, on both streams, without the log lines. */
  readonly output: string[];
  /** Resolves with the first log line, past or future, with this message; rejects if the process ends without one. */
  said(message: string): Promise<LogLine>;
  /** Resolves with the address once it is ready. */
  ready(): Promise<string>;
  /** Sends the signal and resolves with the exit code, or the name of the signal that ended it. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
  /** Resolves with the exit code, or the name of the signal that ended it. */
  ended(): Promise<number | NodeJS.Signals | null>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * Starts one on a free port, in the environment `test` unless `env` says otherwise; nothing else is inherited. Without an
 * entry, it runs the server's bundle. With `output`, a file descriptor, it writes there, and nothing of it is read here.
 */
export function startServer(
  env: NodeJS.ProcessEnv,
  entry = programOf('src/server.ts'),
  cwd = ROOT,
  output?: number,
): ServerProcess {
  const child = spawn(process.execPath, [resolve(ROOT, entry)], {
    cwd,
    env: {
      ...programEnvironment(),
      ENVIRONMENT: 'test',
      PORT: '0',
      AUTH_SECRET: SECRET,
      ...env,
    },
    stdio: ['ignore', output ?? 'pipe', output ?? 'pipe'],
  });
  running.add(child);
  const lines: LogLine[] = [];
  const others: string[] = [];
  const waiting = new Set<() => void>();
  const collect = (text: string) => {
    if (text.startsWith('{')) lines.push(JSON.parse(text));
    else others.push(text);
    for (const look of waiting) look();
  };
  for (const input of [child.stdout, child.stderr]) if (input) createInterface(input).on('line', collect);
  const closed = once(child, 'close').then(([code, signal]) => {
    running.delete(child);
    for (const look of waiting) look();
    return code ?? signal;
  });

  const said = (message: string) =>
    new Promise<LogLine>((resolve, reject) => {
      const done = (settle: () => void) => {
        clearTimeout(timer);
        waiting.delete(look);
        settle();
      };
      const report = () => `${others.join('\n')}\n${lines.map((line) => JSON.stringify(line)).join('\n')}`;
      const timer = setTimeout(
        () => done(() => reject(new Error(`no "${message}" in time:\n${report()}`))),
        PATIENCE_MS,
      );
      const look = () => {
        const line = lines.find(({ msg }) => msg === message);
        if (line) done(() => resolve(line));
        else if (!running.has(child))
          done(() => reject(new Error(`ended without "${message}":\n${report()}`)));
      };
      waiting.add(look);
      look();
    });

  return {
    child,
    lines,
    output: others,
    said,
    ready: async () => (await said('ready'))['address'] as string,
    async end(signal) {
      child.kill(signal);
      return closed;
    },
    ended: () => closed,
  };
}
