import { readdir, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import { runDirectory } from './run-directory.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The programs that tests start as processes. */
type Source =
  | 'src/server.ts'
  | 'src/commands/accounts.ts'
  | 'src/commands/token.ts'
  | 'config/print.ts'
  | 'config/exit.ts';
const SOURCES: readonly Source[] = [
  'src/server.ts',
  'src/commands/accounts.ts',
  'src/commands/token.ts',
  'config/print.ts',
  'config/exit.ts',
];

/** The environment variable that tells a worker where the bundles are. */
const VARIABLE = 'ROLLCALL_TEST_PROGRAMS';

/** For packages that are CommonJS. */
const REQUIRE = `import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);`;

/**
 * Bundles the programs with their packages, for as long as the run lasts. The tests start more than a hundred processes, and
 * one that loads 700 files takes three times as long to start as one that loads ten. A run that measures coverage starts the
 * sources.
 */
export async function bundlePrograms(): Promise<void> {
  if (process.env['NODE_V8_COVERAGE']) return;
  const migrations = (await readdir(join(ROOT, 'migrations'))).filter((name) => name.endsWith('.ts'));
  const programs = join(runDirectory(), 'programs');
  await build({
    absWorkingDir: ROOT,
    entryPoints: Object.fromEntries([
      ...SOURCES.map((path) => [basename(path, '.ts'), path]),
      ...migrations.map((name) => [`migrations/${basename(name, '.ts')}`, `migrations/${name}`]),
    ]),
    outdir: programs,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node22.17',
    // The ORM recognizes its extensions by the names of their classes, and would load them again.
    keepNames: true,
    mainFields: ['module', 'main'],
    banner: { js: REQUIRE },
    logLevel: 'warning',
  });
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

/** The file to run for a source: its bundle, if there is one. */
export function programOf(source: Source): string {
  const programs = process.env[VARIABLE];
  return programs === undefined ? join(ROOT, source) : join(programs, `${basename(source, '.ts')}.js`);
}
