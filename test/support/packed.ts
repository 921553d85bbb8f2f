import { type SpawnSyncOptions, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { programEnvironment } from './programs.ts';

/** The root of the repository. */
export const ROOT = join(import.meta.dirname, '../..');

/** The package as `npm pack` describes it. */
export interface Packed {
  readonly path: string;
  readonly version: string;
  /** In bytes. */
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

/** Copies the files of this checkout that are in git, or would be, as far as they are `wanted`. */
export function copySources(folder: string, wanted: (path: string) => boolean = () => true): void {
  const listed = run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT });
  for (const path of listed.split('\0').filter((path) => path !== '' && wanted(path))) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(join(ROOT, path), join(folder, path));
  }
}

/** Packs this checkout in a copy, for packing changes its package.json for a moment, and returns the package in `folder`. */
export function pack(folder: string): Packed {
  const sources = join(folder, 'sources');
  copySources(sources);
  symlinkSync(join(ROOT, 'node_modules'), join(sources, 'node_modules'));
  const before = readFileSync(join(sources, 'package.json'), 'utf8');
  const said = run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: sources });
  const after = readFileSync(join(sources, 'package.json'), 'utf8');
  if (after !== before) throw new Error('npm pack has not put package.json back.');
  const [{ filename, ...packed }] = JSON.parse(said.slice(said.search(/^\[/m)));
  return { path: join(folder, filename), ...packed };
}

/** The environment of npm and what it runs: only what it needs to reach its registry, and this Node.js. */
export function npmEnvironment(env: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const npm = Object.entries(process.env).filter(
    ([name]) =>
      /^npm_config_(?!.*(?:package|json))/i.test(name) ||
      /^(?:HOME|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|https?_proxy|no_proxy)$/i.test(name),
  );
  return { ...Object.fromEntries(npm), ...programEnvironment(), ...env };
}

/** Runs a program, and returns what it prints. Throws where it fails. */
export function run(program: string, args: readonly string[], options: SpawnSyncOptions = {}): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    env: npmEnvironment(),
    timeout: 120_000,
    maxBuffer: 64 * 1024 * 1024,
    ...options,
    encoding: 'utf8',
  });
  if (status !== 0)
    throw new Error(`${program} ${args.join(' ')} failed (${error?.message ?? status}):\n${stdout}${stderr}`);
  return stdout;
}
