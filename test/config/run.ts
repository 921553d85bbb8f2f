import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CONFIG = join(import.meta.dirname, '../../config');

/** How a process ended, and all that it said. */
export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs Node in `cwd`, with `env` and nothing else of this process's environment. */
function node(cwd: string, env: NodeJS.ProcessEnv, args: string[]): Run {
  const { NODE_V8_COVERAGE } = process.env;
  const options = { cwd, env: { NODE_V8_COVERAGE, ...env }, encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, args, options);
  return { status, stdout, stderr };
}

/** Runs what `npm run config` runs. */
export function print(cwd: string, env: NodeJS.ProcessEnv = {}, ...args: string[]): Run {
  return node(cwd, env, [join(CONFIG, 'print.ts'), ...args]);
}

/** Runs a program that loads its settings as the server does, and prints its port. */
export function program(cwd: string, env: NodeJS.ProcessEnv): Run {
  const source = `import { settingsOrExit } from '${CONFIG}/exit.ts'; console.log(settingsOrExit().port);`;
  return node(cwd, env, ['--input-type=module', '--eval', source]);
}

/** The row of one variable in what the command printed, its columns separated by single blanks. */
export function row({ stdout }: Run, name: string): string | undefined {
  const line = stdout.split('\n').find((text) => text.startsWith(`${name} `));
  return line?.replace(/ +/g, ' ');
}

/** A folder of the test's own, with the given files in it; gone when the suite ends. */
export function folderFor(suite: Mocha.Suite, files: Record<string, string | Uint8Array> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-config-'));
  suite.afterAll(() => rmSync(folder, { recursive: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}
