import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { programEnvironment, programOf } from '../support/programs.ts';
import { runDirectory } from '../support/run-directory.ts';

/** The exit status and the whole output of a process. */
export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs Node in `cwd` with only `env` as its environment. */
function node(cwd: string, env: NodeJS.ProcessEnv, args: string[]): Run {
  const options = { cwd, env: { ...programEnvironment(), ...env }, encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, args, options);
  return { status, stdout, stderr };
}

/** Runs the program of `npm run config`. */
export function print(cwd: string, env: NodeJS.ProcessEnv = {}, ...args: string[]): Run {
  return node(cwd, env, [programOf('config/print.ts'), ...args]);
}

/** Runs a program that loads its settings like the server and prints its port. */
export function program(cwd: string, env: NodeJS.ProcessEnv): Run {
  const source = `import { settingsOrExit } from '${programOf('config/exit.ts')}'; console.log(settingsOrExit().port);`;
  return node(cwd, env, ['--input-type=module', '--eval', source]);
}

/** The output row of one variable, its columns separated by single spaces. */
export function row({ stdout }: Run, name: string): string | undefined {
  const line = stdout.split('\n').find((text) => text.startsWith(`${name} `));
  return line?.replace(/ +/g, ' ');
}

/** A temporary folder with the given files, removed when the suite ends. */
export function folderFor(suite: Mocha.Suite, files: Record<string, string | Uint8Array> = {}): string {
  const folder = mkdtempSync(join(runDirectory(), 'config-'));
  suite.afterAll(() => rmSync(folder, { recursive: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}
