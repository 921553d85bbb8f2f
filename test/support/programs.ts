import { symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { bundle } from '../../build.ts';
import { runDirectory } from './run-directory.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The programs that tests start as processes. */
type Source =
  | 'src/server.ts'
  | 'src/commands/accounts.ts'
  | 'src/commands/token.ts'
  | 'src/commands/migrate.ts'
  | 'config/print.ts'
  | 'config/exit.ts';
const SOURCES: readonly Source[] = [
  'src/server.ts',
  'src/commands/accounts.ts',
  'src/commands/token.ts',
  'src/commands/migrate.ts',
  'config/print.ts',
  'config/exit.ts',
];

/** The environment variable that tells a worker where the bundles are. */
const VARIABLE = 'ROLLCALL_TEST_PROGRAMS';

/**
 * Bundles the programs with their packages, for as long as the run lasts. The tests start more than a hundred processes, and
 * one that loads 700 files takes three times as long to start as one that loads ten. A run that measures coverage starts the
 * sources.
 */
export async function bundlePrograms(): Promise<void> {
  if (process.env['NODE_V8_COVERAGE']) return;
  const programs = join(runDirectory(), 'programs');
  await bundle(programs, Object.fromEntries(SOURCES.map((path) => [basename(path, '.ts'), path])));
  // For files that programs look up in a package's folder.
  await symlink(join(ROOT, 'node_modules'), join(programs, 'node_modules'));
  process.env[VARIABLE] = programs;
}

/** The environment of every process of a test: the path, and what makes starts quick. */
export function programEnvironment(): NodeJS.ProcessEnv {
  const { PATH, NODE_V8_COVERAGE } = process.env;
  if (NODE_V8_COVERAGE) return { PATH, NODE_V8_COVERAGE };
  return { PATH, NODE_COMPILE_CACHE: join(runDirectory(), 'compile-cache') };
}

/** How the program of a source says that it is called with `args`: by its bundle, if there is one, from another folder. */
export function invocationIn(source: Source, args = ''): string {
  const program = programOf(source);
  const name = basename(source, '.ts');
  return program.endsWith('.js')
    ? `node ${program}${args && ` ${args}`}`
    : `npm run --silent ${name}${args && ` -- ${args}`}`;
}

/** The file to run for a source: its bundle, if there is one. */
export function programOf(source: Source): string {
  const programs = process.env[VARIABLE];
  return programs === undefined ? join(ROOT, source) : join(programs, `${basename(source, '.ts')}.js`);
}
