import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify, stripVTControlCharacters } from 'node:util';
import { programEnvironment } from './programs.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Runs `npx mikro-orm …` in the project's folder, and returns its exit code and output. */
export async function mikroOrm(
  env: NodeJS.ProcessEnv,
  ...args: string[]
): Promise<{ code: number; said: string }> {
  const run = promisify(execFile)(process.execPath, [join(ROOT, 'node_modules/.bin/mikro-orm'), ...args], {
    cwd: ROOT,
    env: { ...programEnvironment(), ENVIRONMENT: 'test', ...env },
  });
  const { code = 0, stdout, stderr } = await run.catch((failure) => failure);
  return { code, said: stripVTControlCharacters(stdout + stderr) };
}
