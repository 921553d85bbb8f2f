import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
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

/** Marks a view that is loaded later. */
const LATER = 'later';

/**
 * Keeps what the page loads at first in one file: each view that is loaded later imports all of that. Otherwise, there would be a
 * file for each set of views that share something, and a browser would wait for twenty of them.
 */
const oneFirstFile: Plugin = {
  name: 'one-first-file',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\./ }, ({ kind, path, resolveDir }) =>
      kind === 'dynamic-import' ? { path: join(resolveDir, path), pluginData: LATER } : undefined,
    );
    onLoad({ filter: /\.tsx$/ }, async ({ path, pluginData }) => {
      if (pluginData !== LATER) return undefined;
      const first = relative(dirname(path), join(import.meta.dirname, 'app.tsx'));
      return { contents: `import '${first}';\n${await readFile(path, 'utf8')}`, loader: 'tsx' };
    });
  },
};

/**
 * Bundles the console for browsers: a style sheet, the icon, what runs before the first paint, and the script with its first view.
 * What that imports, at once or later, are files with a hash in their names. Beside them, the script and the style sheet of the
 * page at `/docs`. Throws where they import code of the server. `onBundled` is told what has gone in.
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
    plugins: [noServerCode, oneFirstFile],
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  } as const satisfies BuildOptions;
  const results = await Promise.all([
    build({
      ...options,
      entryPoints: { console: 'main.tsx', icon: 'icon.svg' },
      splitting: true,
      chunkNames: '[name]-[hash]',
    }),
    build({ ...options, entryPoints: ['start.ts'], format: 'iife' }),
    // In one file each: what it imports, the console has too.
    build({ ...options, entryPoints: { docs: 'docs/docs.ts' } }),
  ]);
  const files = new Map<string, Uint8Array>();
  for (const { outputFiles, metafile } of results) {
    onBundled?.(metafile);
    for (const { path, contents } of outputFiles) files.set(basename(path), contents);
  }
  return files;
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
