import { type ChildProcess, execFileSync, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import type { EmbeddedOptions } from '../../../src/database/embedded/index.ts';
import { readCommandLine } from '../../../src/database/embedded/processes.ts';
import { dataDirectory, runDirectory, sharedFolder } from '../../support/run-directory.ts';
import { until } from '../../support/until.ts';
import { copyCheckout } from './checkout.ts';
import type { Command, Reply } from './holder.ts';

/** The root of the project. */
export const CHECKOUT = join(import.meta.dirname, '../../..');

/** Whether the tests run as root, which can act as any user. */
export const isRoot = process.getuid?.() === 0;

/** A user that runs a test. */
export interface TestUser {
  readonly name: string;
  /** Missing: the user of this process. */
  readonly ids?: { readonly uid: number; readonly gid: number };
}

const idOf = (flag: '-u' | '-g', user: string) =>
  Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
/** A user without any rights. Only root can act as this user. */
export const nobody = (): TestUser => ({
  name: 'nobody',
  ids: { uid: idOf('-u', 'nobody'), gid: idOf('-g', 'nobody') },
});

/** The user of this process. */
export const currentUser: TestUser = { name: isRoot ? 'root' : 'an ordinary user' };

/** Root and an ordinary user where possible. No test is skipped for either. */
export const testUsers: readonly TestUser[] = isRoot ? [currentUser, nobody()] : [currentUser];

/** The database that a holder opened. */
export interface Opened {
  origin: 'started' | 'adopted';
  port: number;
  url: string;
}

/** Whether the process runs. A zombie does not. */
export async function isRunning(pid: number): Promise<boolean> {
  return (await readCommandLine(pid)) !== '';
}

/** Reads the pid in the cluster's lock file. */
export async function readPostmasterPid(directory: string): Promise<number | undefined> {
  const text = await readFile(join(directory, 'cluster/data/postmaster.pid'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : Number.parseInt(text, 10);
}

/** Runs one statement over a new connection. */
export async function query(
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

/** A process that opens the database. */
export class Holder {
  readonly process: ChildProcess;
  readonly logged: string[] = [];
  readonly ended: Promise<unknown>;
  readonly #pending: { resolve(value: unknown): void; reject(error: Error): void }[] = [];

  constructor(checkout: string, user: TestUser, prelude: string[]) {
    const program = join(checkout, 'test/database/embedded/holder.ts');
    const node = user.ids ? join(checkout, 'node') : process.execPath;
    const [command = '', ...args] = [...prelude, node, program];
    const stdio: StdioOptions = ['ignore', 'inherit', 'inherit', 'ipc'];
    this.process = spawn(command, args, { ...user.ids, stdio, cwd: '/' });
    this.ended = once(this.process, 'exit');
    this.process.on('message', (reply: Reply) => {
      if ('log' in reply) this.logged.push(reply.log);
      else if ('error' in reply) this.#pending.shift()?.reject(new Error(reply.error));
      else this.#pending.shift()?.resolve(reply.value);
    });
    void this.ended.then(() => this.#rejectPending());
  }

  #rejectPending(): void {
    for (const { reject } of this.#pending.splice(0)) reject(new Error('the holder has ended'));
  }

  /** Waits for the next reply. Replies arrive in the order in which commands finish. */
  nextReply(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ resolve, reject });
    });
  }

  send(command: Command): Promise<unknown> {
    const reply = this.nextReply();
    this.process.send(command, (error) => error && this.#rejectPending());
    return reply;
  }

  open(directory: string, options: Partial<EmbeddedOptions> = {}): Promise<Opened> {
    return this.send({
      do: 'open',
      options: { directory, timeoutMs: 20_000, ...options },
    }) as Promise<Opened>;
  }

  async release(): Promise<void> {
    await this.send({ do: 'release' });
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
  }
}

/** The temporary folder and processes of one test. */
export class Fixture {
  readonly user: TestUser;
  /** The folder of the sources. */
  checkout: string;
  root = '';
  /** The folder that holders open. It contains a cluster after a clean shutdown. */
  directory = '';
  readonly #processes: ChildProcess[] = [];

  constructor(user: TestUser, checkout: string) {
    this.user = user;
    this.checkout = checkout;
  }

  /** @param template a folder with a cluster to copy, which takes a tenth of initdb's time. */
  async setUp(template?: string): Promise<void> {
    this.root = await mkdtemp(join(dataDirectory(), 'embedded-')); // 0700
    const own = join(this.root, 'own');
    await mkdir(own, { mode: 0o700 });
    this.directory = join(own, 'postgres');
    if (template) execFileSync('cp', ['-a', template, this.directory]);
    const { ids } = this.user;
    if (!ids) return;
    for (const path of [this.root, own]) await chown(path, ids.uid, ids.gid);
  }

  /** Starts a holder. @param prelude a command that runs the holder's command. */
  readonly startHolder = async (prelude: string[] = []): Promise<Holder> => {
    const holder = new Holder(this.checkout, this.user, prelude);
    this.#processes.push(holder.process);
    await holder.nextReply();
    return holder;
  };

  /** Starts any other process, which ends with the fixture. */
  spawn(command: string, args: string[], ids = this.user.ids): ChildProcess {
    const child = spawn(command, args, { ...ids, stdio: 'ignore', cwd: '/' });
    this.#processes.push(child);
    return child;
  }

  /** Prepares a test of the very first start. */
  async removeCluster(): Promise<void> {
    await rm(this.directory, { recursive: true });
  }

  /** Lists unexpected names in the directory. */
  readonly listLeftovers = async (): Promise<string[]> => {
    const names = await readdir(this.directory);
    return names.filter((name) => !['cluster', 'server.log'].includes(name));
  };

  /** Ends the processes that the test left running, and removes its folder. */
  async tearDown(): Promise<void> {
    for (const child of this.#processes) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const pid = await readPostmasterPid(this.directory);
    if (pid && (await readCommandLine(pid)).includes(' cluster_name=rollcall-')) {
      process.kill(pid, 'SIGQUIT');
      await until('the server of the test is down', async () => !(await isRunning(pid)));
    }
    await rm(this.root, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Copies the sources to a 0700 folder of the user, who may be unable to read this checkout. */
export async function copyCheckoutFor(user: TestUser): Promise<string> {
  const parent = await mkdtemp(join(runDirectory(), 'checkout-')); // 0700
  return copyCheckoutInto(parent, user);
}

/** The sources that the user can read: this checkout, or for another user a copy that all workers share. */
export async function readableCheckout(user: TestUser): Promise<string> {
  if (!user.ids) return CHECKOUT;
  const folder = await sharedFolder(join(runDirectory(), `checkout-of-${user.name}`), async (draft) => {
    await mkdir(draft, { mode: 0o700 });
    await copyCheckoutInto(draft, user);
  });
  return join(folder, 'checkout');
}

async function copyCheckoutInto(parent: string, { ids }: TestUser): Promise<string> {
  if (ids) await chown(parent, ids.uid, ids.gid);
  const copy = join(parent, 'checkout');
  await copyCheckout(CHECKOUT, copy, ids);
  return copy;
}

/** A folder with a cluster after a clean shutdown, which all workers share, for fixtures to copy. */
export function clusterTemplate(user: TestUser, checkout: string): Promise<string> {
  const folder = join(dataDirectory(), `cluster-of-${user.ids ? user.name : 'current-user'}`);
  return sharedFolder(folder, async (draft) => {
    const fixture = new Fixture(user, checkout);
    await fixture.setUp();
    const holder = await fixture.startHolder();
    await holder.open(fixture.directory);
    await holder.release();
    await rename(fixture.directory, draft);
    await fixture.tearDown();
  });
}
