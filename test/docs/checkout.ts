import { mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { copySources, npmEnvironment } from '../support/packed.ts';
import { runDirectory } from '../support/run-directory.ts';

/** The root of the repository. */
export const ROOT = join(import.meta.dirname, '../..');

/** What a fresh clone does not have. */
const NOT_CLONED = new Set(['.git', '.env', '.data', 'dist', 'coverage']);

/**
 * The ports that the pages name, each with the variable that moves it. `curl` needs none: its configuration sends what
 * is meant for the documented port to the real one.
 */
const PORTS = {
  8000: 'PORT',
  3000: 'APP_PORT',
  9000: 'RECEIVER_PORT',
  4000: 'PROVIDER_PORT',
  9464: 'OPERATORS_PORT',
} as const;

/** A working copy for one page, in a folder of its own: the repository as a reader has it after `npm ci`. */
export interface Checkout {
  readonly folder: string;
  /** The environment of the service and of the shell: nothing of this process's own but the search path. */
  readonly env: NodeJS.ProcessEnv;
  /** The text with the documented ports in place of the real ones. */
  documented(text: string): string;
  /** The files that were not there at the start, less the data folder. */
  leftovers(): string[];
  remove(): Promise<void>;
}

/** Makes one. Its files are links; what a page writes stays in its folder. */
export async function openCheckout(): Promise<Checkout> {
  return openFolder((folder) => {
    for (const name of readdirSync(ROOT).filter((name) => !NOT_CLONED.has(name)))
      symlinkSync(join(ROOT, name), join(folder, name));
  });
}

/** Makes one whose files are copies, for `npm pack` takes no links, and in which npm reaches its registry. */
export async function openPackingCheckout(): Promise<Checkout> {
  const checkout = await openFolder((folder) => {
    copySources(folder);
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  });
  const { PATH, HOME, ...env } = npmEnvironment();
  const userconfig = join(homedir(), '.npmrc');
  const cache = join(homedir(), '.npm');
  return {
    ...checkout,
    env: {
      ...env,
      npm_config_userconfig: userconfig,
      npm_config_cache: cache,
      // Where pip and Go keep what they have installed and built.
      XDG_CACHE_HOME: join(homedir(), '.cache'),
      PIP_DISABLE_PIP_VERSION_CHECK: '1',
      ...checkout.env,
    },
  };
}

async function openFolder(fill: (folder: string) => void): Promise<Checkout> {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-docs-'));
  const home = join(folder, '.home');
  fill(folder);
  const entries = readdirSync(folder);

  const ports = await Promise.all(
    Object.entries(PORTS).map(async ([documented, variable]) => ({
      documented,
      variable,
      real: await freePort(),
    })),
  );
  mkdirSync(home);
  writeFileSync(
    join(home, '.curlrc'),
    ports
      .map(({ documented, real }) => `connect-to = "127.0.0.1:${documented}:127.0.0.1:${real}"\n`)
      .join(''),
  );
  return {
    folder,
    env: {
      PATH: dirname(process.execPath) + delimiter + process.env['PATH'],
      LANG: 'C.UTF-8',
      // A page starts many processes; it does not show how fast they start.
      NODE_COMPILE_CACHE: join(runDirectory(), 'compile-cache'),
      HOME: home,
      CURL_HOME: home,
      ...Object.fromEntries(ports.map(({ variable, real }) => [variable, `${real}`])),
    },
    documented: (text) =>
      ports.reduce((result, { documented, real }) => result.replaceAll(`:${real}`, `:${documented}`), text),
    leftovers: () => {
      const expected = new Set([...entries, '.home', '.data']);
      return readdirSync(folder).filter((name) => !expected.has(name));
    },
    remove: () => rm(folder, { recursive: true }),
  };
}

/** A port below those that the system gives out by itself, which other tests get. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
