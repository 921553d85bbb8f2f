import { cpSync, existsSync, mkdtempSync, readFileSync, symlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { npmEnvironment, pack, ROOT, run } from './packed.ts';
import { runDirectory } from './run-directory.ts';
import { type StartedProgram, StartedPrograms } from './started-program.ts';

/** The examples, copied to a folder of a test's own, below the package as `npm pack` makes it. */
export interface Examples {
  /** Runs the first command of an example's page, which installs it, and returns how many seconds that took. */
  install(name: string): number;
  /** Starts the command after that, or the one that a pattern names, where the page lets one choose. */
  start(name: string, env: NodeJS.ProcessEnv, which?: RegExp): StartedProgram;
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
  const programs = new StartedPrograms();
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
      return programs.start('sh', ['-c', command], { cwd: folderOf(name), env: environment(env) });
    },
    fileOf: (name, path) => join(folderOf(name), path),
    async remove() {
      programs.kill();
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
