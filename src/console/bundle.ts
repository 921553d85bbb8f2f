import { readdir, readFile } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import type { BuildOptions, Metafile, Plugin } from 'esbuild';

/** The folder beside a built program with the files of {@link bundleConsole} in it. */
export const CONSOLE_FOLDER = 'console-files';

/** Files by name. */
export type ConsoleFiles = ReadonlyMap<string, Uint8Array>;

/** Refuses code of the server: of that, the console and the client import types alone, which are gone by now. */
const noServerCode: Plugin = {
  name: 'no-server-code',
  setup({ onLoad }) {
    onLoad({ filter: /\.tsx?$/, namespace: 'file' }, ({ path }) => {
      const isOurs = [import.meta.dirname, join(import.meta.dirname, '../client')].some((room) =>
        path.startsWith(room + sep),
      );
      if (isOurs || path.includes('node_modules')) return undefined;
      return {
        errors: [{ text: `${path} is code of the server: import its types alone, with "import type".` }],
      };
    });
  },
};

/**
 * Bundles the console for browsers: a style sheet, the icon, and the script with its first view. What it imports later, and what
 * both share, are files with a hash in their names. Beside them, the script and the style sheet of the page at `/docs`. Throws where
 * they import code of the server. `onBundled` is told what has gone in.
 */
export async function bundleConsole(onBundled?: (metafile: Metafile) => void): Promise<ConsoleFiles> {
  // A development dependency: a built program has the files.
  const { build } = await import('esbuild');
  const options = {
    absWorkingDir: import.meta.dirname,
    loader: { '.svg': 'copy' },
    outdir: CONSOLE_FOLDER,
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: ['chrome123', 'firefox120', 'safari17.5'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    plugins: [noServerCode],
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  } as const satisfies BuildOptions;
  const [{ outputFiles, metafile }, docs] = await Promise.all([
    build({
      ...options,
      entryPoints: { console: 'main.tsx', icon: 'icon.svg' },
      splitting: true,
      chunkNames: '[name]-[hash]',
    }),
    // In one file each: what it imports, the console has too.
    build({ ...options, entryPoints: { docs: 'docs/docs.ts' } }),
  ]);
  onBundled?.(metafile);
  return new Map(
    [...outputFiles, ...docs.outputFiles].map(({ path, contents }) => [basename(path), contents]),
  );
}

/** The console's files: from beside the program, where the build has put them, or bundled now. */
export async function consoleFiles(folder: string): Promise<ConsoleFiles> {
  const names = await readdir(join(folder, CONSOLE_FOLDER)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  });
  if (names === undefined) return bundleConsole();
  const contents = names.map(
    async (name) => [name, await readFile(join(folder, CONSOLE_FOLDER, name))] as const,
  );
  return new Map(await Promise.all(contents));
}
