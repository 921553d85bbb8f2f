import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readFileSync, symlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { npmEnvironment, pack, ROOT, run } from './packed.ts';
import { runDirectory } from './run-directory.ts';
import { until } from './until.ts';

/** A program that runs, with what it has printed. */
export interface Running {
  readonly lines: string[];
  /** Resolves with the first line, past or future, that matches. Rejects with all lines where the program ends before. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
  /** Ends it and all that it has started. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

/** The examples, copied to a folder of a test's own, below the package as `npm pack` makes it. */
export interface Examples {
  /** Runs the first command of an example's page, which installs it, and returns how many seconds that took. */
  install(name: string): number;
  /** Starts the command after that, or the one that a pattern names, where the page lets one choose. */
  start(name: string, env: NodeJS.ProcessEnv, which?: RegExp): Running;
  /** The path of a file in the folder of an example. */
  fileOf(name: string, path: string): string;
  remove(): Promise<void>;
}

/** How long an example may take to install, in milliseconds. */
const INSTALL_MS = 180_000;

/** Copies the examples. Those in JavaScript find the package of this checkout where they expect it. */
export function copyExamples(): Examples {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-examples-'));
  cpSync(join(ROOT, 'examples'), join(folder, 'examples'), {
    recursive: true,
    filter: (path) => !/\/(?:node_modules|\.venv)$/.test(path),
  });
  const running = new Set<ChildProcess>();
  const folderOf = (name: string) => join(folder, 'examples', name);
  const environment = (env: NodeJS.ProcessEnv = {}) => npmEnvironment({ ENVIRONMENT: 'development', ...env });

  return {
    install(name) {
      const { install } = commandsOf(name);
      if (install.startsWith('npm ')) linkPackage(folder);
      const began = performance.now();
      run('sh', ['-c', install], { cwd: folderOf(name), env: environment(), timeout: INSTALL_MS });
      return Math.round((performance.now() - began) / 100) / 10;
    },
    start(name, env, which = /./) {
      const command = commandsOf(name).starts.find((one) => which.test(one));
      if (command === undefined) throw new Error(`The page of ${name} has no command ${which}.`);
      const child = spawn('sh', ['-c', command], {
        cwd: folderOf(name),
        env: environment(env),
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      running.add(child);
      const lines: string[] = [];
      for (const output of [child.stdout, child.stderr])
        createInterface(output).on('line', (line) => lines.push(line));
      const closed = once(child, 'close').then(() => running.delete(child));
      return {
        lines,
        said: (pattern) =>
          until(
            `${name} says ${pattern}`,
            () => {
              const match = lines.map((line) => pattern.exec(line)).find((found) => found !== null);
              if (match === undefined && child.exitCode !== null) throw new Error(`${name} has ended.`);
              return match;
            },
            60_000,
          ).catch((error: Error) => {
            throw new Error(`${error.message}\n${lines.join('\n')}`);
          }),
        async end(signal = 'SIGTERM') {
          endGroup(child, signal);
          await closed;
        },
      };
    },
    fileOf: (name, path) => join(folderOf(name), path),
    async remove() {
      for (const child of running) endGroup(child, 'SIGKILL');
      await rm(folder, { recursive: true });
    },
  };
}

/** The package, made once in a run. */
let packed: string | undefined;

function linkPackage(folder: string): void {
  packed ??= pack(mkdtempSync(join(runDirectory(), 'package-'))).path;
  const link = join(folder, basename(packed));
  if (!existsSync(link)) symlinkSync(packed, link);
}

/** The commands in the page of an example: one that installs it, and those that start it. */
function commandsOf(name: string): { install: string; starts: string[] } {
  const page = readFileSync(join(ROOT, 'examples', name, 'README.md'), 'utf8');
  const [, block = ''] = /^```sh\n([\s\S]*?)^```$/m.exec(page) ?? [];
  const [install = '', ...starts] = block.trim().split('\n');
  if (starts.length === 0) throw new Error(`The page of ${name} lacks its two commands.`);
  return { install, starts };
}

function endGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-(pid as number), signal);
  } catch {
    // The group has ended.
  }
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  await new Promise((closed) => probe.close(closed));
  return port;
}
