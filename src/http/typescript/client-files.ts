import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import type { BuildOptions } from 'esbuild';
import { describedEndpoints } from '../described-endpoints.ts';
import { declarationsOf } from './declarations.ts';

const ROOT = join(import.meta.dirname, '../../..');

/** The sources of the client. */
export const CLIENT = join(ROOT, 'src/client');

/** What an app can import of the client: the names of the files in which it begins. */
const CLIENT_ENTRIES = ['index', 'preferences', 'react'] as const;

/** How the client is bundled: for browsers, Node.js, workers and Deno, readable, with what several entries share in one place. */
export const CLIENT_BUILD: BuildOptions = {
  absWorkingDir: CLIENT,
  entryPoints: CLIENT_ENTRIES.map((name) => `${name}.ts`),
  bundle: true,
  splitting: true,
  chunkNames: '[name]-[hash]',
  format: 'esm',
  platform: 'neutral',
  target: 'es2022',
  packages: 'external',
  logLevel: 'warning',
};

/** For the declarations of the client: what browsers have, and nothing of Node. */
const TSCONFIG = {
  compilerOptions: {
    target: 'es2022',
    lib: ['es2024', 'dom', 'dom.iterable', 'dom.asynciterable'],
    module: 'nodenext',
    moduleDetection: 'force',
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    allowImportingTsExtensions: true,
    declaration: true,
    emitDeclarationOnly: true,
    stripInternal: true,
    outDir: 'out',
    rootDir: '.',
  },
  include: ['*.ts'],
};

/** Writes the client into `outdir`, code and declarations, as the package has it. */
export async function bundleClient(outdir: string): Promise<void> {
  // A development dependency: a built program has the files.
  const { build } = await import('esbuild');
  await build({ ...CLIENT_BUILD, outdir });
  await writeClientTypes(outdir);
}

/**
 * Writes the declarations of the client into `outdir`: those of its sources, where the types of the endpoints are written out. Throws
 * where they are no valid TypeScript by themselves.
 */
async function writeClientTypes(outdir: string): Promise<void> {
  const cache = join(ROOT, 'node_modules/.cache');
  await mkdir(cache, { recursive: true });
  // In the project: the compiler looks for React's types above it.
  const folder = await mkdtemp(join(cache, 'client-types-'));
  try {
    for (const name of await readdir(CLIENT)) {
      if (name.endsWith('.ts')) await cp(join(CLIENT, name), join(folder, name));
    }
    await writeFile(join(folder, 'routes.ts'), declarationsOf(describedEndpoints()));
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(TSCONFIG));
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
    await promisify(execFile)(process.execPath, [compiler, '-p', folder]).catch((error) => {
      throw new Error(`The types of the client:\n${error.stdout || error.message}`);
    });
    await mkdir(outdir, { recursive: true });
    for (const name of await readdir(join(folder, 'out'))) {
      const text = await readFile(join(folder, 'out', name), 'utf8');
      await writeFile(
        join(outdir, basename(name)),
        text
          .replace(/(from '\.\/[\w-]+|import\("\.\/[\w-]+)\.ts/g, '$1.js')
          .replace(/(from "\.\/[\w-]+)\.ts"/g, '$1.js"'),
      );
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
