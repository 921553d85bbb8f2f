import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(import.meta.dirname, '../..');

/** What the tools are installed from. */
const SOURCES = join(ROOT, 'test/openapi/tools');

/** Where they are installed: apart from the project's own packages, whose TypeScript is too new for some of them. */
export const TOOLS = join(ROOT, 'node_modules/.cache/openapi-tools');

const OASDIFF = 'github.com/oasdiff/oasdiff@v1.37.0';
const GENERATOR = 'org.openapitools:openapi-generator-cli:7.17.0';

/** The jar of openapi-generator. */
export const GENERATOR_JAR = join(TOOLS, 'jars/openapi-generator-cli-7.17.0.jar');

/** The path of an npm package's program. */
export const npmTool = (name: string) => join(TOOLS, 'node_modules/.bin', name);

/** The path of a Python package's program. */
export const pythonTool = (name: string) => join(TOOLS, 'python/bin', name);

/** oasdiff. */
export const oasdiff = join(TOOLS, 'bin/oasdiff');

/** What a program has printed, and how it has ended. */
export interface Ran {
  readonly code: number;
  readonly output: string;
}

/** Runs a program to its end, and throws when it takes longer than `seconds`. */
export async function runTool(
  program: string,
  args: readonly string[],
  {
    cwd = TOOLS,
    env = {},
    seconds = 120,
  }: { cwd?: string; env?: Record<string, string>; seconds?: number } = {},
): Promise<Ran> {
  const options = { cwd, env: { ...process.env, ...env }, maxBuffer: 2 ** 26, timeout: seconds * 1_000 };
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, options);
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, killed, stdout = '', stderr = '', message } = error as Error & Record<string, unknown>;
    if (typeof code !== 'number' || killed)
      throw new Error(`${program} ${args.join(' ')}: ${message}\n${stdout}${stderr}`);
    return { code, output: `${stdout}${stderr}` };
  }
}

/** Runs a program that must succeed, and returns what it has printed. */
export async function mustRun(...[program, args, options]: Parameters<typeof runTool>): Promise<string> {
  const { code, output } = await runTool(program, args, options);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}:\n${output}`);
  return output;
}

/**
 * Installs the tools, once for each of their versions: with npm, pip, Go and Maven, which must be there. The first time takes about a
 * minute.
 */
export async function installTools(): Promise<void> {
  const files = await Promise.all(
    ['package-lock.json', 'requirements.txt'].map((name) => readFile(join(SOURCES, name), 'utf8')),
  );
  const version = createHash('sha256')
    .update([...files, OASDIFF, GENERATOR].join('\n'))
    .digest('hex');
  const stamp = join(TOOLS, 'installed');
  if ((await readFile(stamp, 'utf8').catch(() => '')) === version) return;
  await rm(stamp, { force: true });
  await mkdir(TOOLS, { recursive: true });
  await Promise.all([npmPackages(), pythonPackages(), goProgram(), jar()]);
  await writeFile(stamp, version);
}

async function npmPackages(): Promise<void> {
  for (const name of ['package.json', 'package-lock.json']) await cp(join(SOURCES, name), join(TOOLS, name));
  await mustRun('npm', ['ci', '--ignore-scripts', '--no-audit'], { seconds: 300 });
}

async function pythonPackages(): Promise<void> {
  await mustRun('python3', ['-m', 'venv', '--clear', join(TOOLS, 'python')]);
  const requirements = join(SOURCES, 'requirements.txt');
  await mustRun(pythonTool('pip'), ['install', '--quiet', '-r', requirements], { seconds: 300 });
}

async function goProgram(): Promise<void> {
  await mustRun('go', ['install', OASDIFF], { env: { GOBIN: join(TOOLS, 'bin') }, seconds: 300 });
}

async function jar(): Promise<void> {
  await mkdir(join(TOOLS, 'jars'), { recursive: true });
  const copy = ['dependency:copy', `-Dartifact=${GENERATOR}`, `-DoutputDirectory=${join(TOOLS, 'jars')}`];
  await mustRun('mvn', ['--batch-mode', '--quiet', ...copy], { seconds: 300 });
}

/** Makes an empty folder below the tools, where programs find the npm packages. */
export async function workFolder(name: string): Promise<string> {
  const folder = join(TOOLS, 'work', name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  return folder;
}
