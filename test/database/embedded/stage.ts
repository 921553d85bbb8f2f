import { type ChildProcess, execFileSync, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { EmbeddedOptions } from '../../../src/database/embedded/index.ts';
import { commandLine } from '../../../src/database/embedded/processes.ts';
import { until } from '../../support/until.ts';
import { copyCheckout } from './checkout.ts';
import type { Order, Reply } from './holder.ts';

/** The project. */
export const CHECKOUT = join(import.meta.dirname, '../../..');

/** Whether the tests run as root, who can play every part. */
export const isRoot = process.getuid?.() === 0;

/** As whom a story is played. */
export interface Part {
  readonly name: string;
  /** Missing: as whoever runs the tests. */
  readonly ids?: { readonly uid: number; readonly gid: number };
}

const idOf = (flag: '-u' | '-g', user: string) =>
  Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
/** An account with no rights at all; only root can play it. */
export const nobody = (): Part => ({
  name: 'nobody',
  ids: { uid: idOf('-u', 'nobody'), gid: idOf('-g', 'nobody') },
});

/** Whoever runs the tests. */
export const self: Part = { name: isRoot ? 'root' : 'an ordinary user' };

/** Root and an ordinary user where both can be had. Whoever runs the tests, no story is skipped. */
export const parts: readonly Part[] = isRoot ? [self, nobody()] : [self];

/** What open() gave the holder. */
export interface Opened {
  origin: 'started' | 'adopted';
  port: number;
  url: string;
}

/** Whether the process is there and runs; a zombie does not. */
export async function isRunning(pid: number): Promise<boolean> {
  return (await commandLine(pid)) !== '';
}

/** The pid in the cluster's lock file. */
export async function postmasterOf(directory: string): Promise<number | undefined> {
  const text = await readFile(join(directory, 'cluster/data/postmaster.pid'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : Number.parseInt(text, 10);
}

/** Asks the server one thing, over a connection of its own. */
export async function ask(
  url: string,
  sql: string,
  values: unknown[] = [],
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query(sql, values)).rows;
  } finally {
    await client.end().catch(() => {});
  }
}

/** A process that holds the database, or wants to. */
export class Holder {
  readonly process: ChildProcess;
  readonly logged: string[] = [];
  readonly ended: Promise<unknown>;
  readonly #asked: { resolve(value: unknown): void; reject(error: Error): void }[] = [];

  constructor(checkout: string, part: Part, prelude: string[]) {
    const program = join(checkout, 'test/database/embedded/holder.ts');
    const node = part.ids ? join(checkout, 'node') : process.execPath;
    const [command = '', ...args] = [...prelude, node, program];
    const stdio: StdioOptions = ['ignore', 'inherit', 'inherit', 'ipc'];
    this.process = spawn(command, args, { ...part.ids, stdio, cwd: '/' });
    this.ended = once(this.process, 'exit');
    this.process.on('message', (reply: Reply) => {
      if ('log' in reply) this.logged.push(reply.log);
      else if ('error' in reply) this.#asked.shift()?.reject(new Error(reply.error));
      else this.#asked.shift()?.resolve(reply.value);
    });
    void this.ended.then(() => this.#forsake());
  }

  #forsake(): void {
    for (const { reject } of this.#asked.splice(0)) reject(new Error('the holder has ended'));
  }

  /** The next answer: the holder answers in the order in which it has done what it was told. */
  answer(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
    });
  }

  order(order: Order): Promise<unknown> {
    const answer = this.answer();
    this.process.send(order, (error) => error && this.#forsake());
    return answer;
  }

  open(directory: string, options: Partial<EmbeddedOptions> = {}): Promise<Opened> {
    return this.order({
      do: 'open',
      options: { directory, timeoutMs: 20_000, ...options },
    }) as Promise<Opened>;
  }

  async release(): Promise<void> {
    await this.order({ do: 'release' });
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
  }
}

/** A folder of its own for one test, the processes on it, and their removal. */
export class Stage {
  readonly part: Part;
  /** Where the sources are. */
  checkout: string;
  root = '';
  /** What the holders are told to open. A cluster is there, and was left in order. */
  directory = '';
  readonly #processes: ChildProcess[] = [];

  constructor(part: Part, checkout: string) {
    this.part = part;
    this.checkout = checkout;
  }

  /** @param model a directory with a cluster in it: to copy one takes a tenth of initdb's time. */
  async set(model?: string): Promise<void> {
    this.root = await mkdtemp(join(tmpdir(), 'rollcall-embedded-')); // 0700
    const own = join(this.root, 'own');
    await mkdir(own, { mode: 0o700 });
    this.directory = join(own, 'postgres');
    if (model) execFileSync('cp', ['-a', model, this.directory]);
    if (!this.part.ids) return;
    for (const path of [this.root, own]) await chown(path, this.part.ids.uid, this.part.ids.gid);
  }

  /** Starts a holder. @param prelude a command that runs the holder's command. */
  readonly holder = async (prelude: string[] = []): Promise<Holder> => {
    const holder = new Holder(this.checkout, this.part, prelude);
    this.#processes.push(holder.process);
    await holder.answer();
    return holder;
  };

  /** Any other process of the stage's, removed with it. */
  spawn(command: string, args: string[], ids = this.part.ids): ChildProcess {
    const child = spawn(command, args, { ...ids, stdio: 'ignore', cwd: '/' });
    this.#processes.push(child);
    return child;
  }

  /** For stories of the very first start. */
  async removeCluster(): Promise<void> {
    await rm(this.directory, { recursive: true });
  }

  /** Names in the directory other than those that belong there. */
  readonly leftovers = async (): Promise<string[]> => {
    const names = await readdir(this.directory);
    return names.filter((name) => !['cluster', 'server.log'].includes(name));
  };

  /** Ends what the story left running, and removes its folder. */
  async strike(): Promise<void> {
    for (const child of this.#processes) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const pid = await postmasterOf(this.directory);
    if (pid && (await commandLine(pid)).includes(' cluster_name=rollcall-')) {
      process.kill(pid, 'SIGQUIT');
      await until('the server of the test is down', async () => !(await isRunning(pid)));
    }
    await rm(this.root, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A copy of the sources in a 0700 folder of the part's: nobody else's checkout need be open to it. */
export async function ownCheckout(part: Part): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'rollcall-checkout-')); // 0700
  if (part.ids) await chown(parent, part.ids.uid, part.ids.gid);
  const copy = join(parent, 'checkout');
  await copyCheckout(CHECKOUT, copy, part.ids);
  return copy;
}
