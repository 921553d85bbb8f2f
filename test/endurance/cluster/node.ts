import { readFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Daemon, startDaemon } from '../../support/daemon.ts';
import { until } from '../../support/until.ts';
import { descendantsOf } from './processes.ts';

/** The file that operators copy. */
export const PATRONI_FILE = join(import.meta.dirname, '../../../config/high-availability/patroni.yml');

/** The superuser's password, and that of the two roles with which members follow and rewind. */
export const PASSWORD = 'only-for-tests';

/** What a database host of the cluster is made of. */
export interface NodeOptions {
  readonly name: string;
  /** Its address. */
  readonly host: string;
  /** The address of etcd. */
  readonly etcd: string;
  /** A folder of its own, which the account may write. */
  readonly folder: string;
  /** The folder of PostgreSQL's programs. */
  readonly binaries: string;
  readonly ids: { readonly uid: number; readonly gid: number } | undefined;
  readonly log: string;
}

/** A database host: Patroni and its PostgreSQL, with the file that operators copy. */
export class Node {
  readonly name: string;
  readonly host: string;
  /** What the file leaves to the environment. */
  readonly env: NodeJS.ProcessEnv;
  readonly #options: NodeOptions;
  readonly #data: string;
  #patroni: Daemon | undefined;

  constructor(options: NodeOptions) {
    const { name, host, etcd, folder, binaries } = options;
    this.name = name;
    this.host = host;
    this.#options = options;
    this.#data = join(folder, 'data');
    this.env = {
      LC_ALL: 'C.UTF-8',
      HOME: folder,
      PATRONI_NAME: name,
      PATRONI_ETCD3_HOSTS: etcd,
      PATRONI_RESTAPI_LISTEN: `${host}:8008`,
      PATRONI_RESTAPI_CONNECT_ADDRESS: `${host}:8008`,
      PATRONI_POSTGRESQL_LISTEN: `${host}:5432`,
      PATRONI_POSTGRESQL_CONNECT_ADDRESS: `${host}:5432`,
      PATRONI_POSTGRESQL_DATA_DIR: this.#data,
      PATRONI_POSTGRESQL_BIN_DIR: binaries,
      PATRONI_POSTGRESQL_PGPASS: join(folder, 'pgpass'),
      PATRONI_SUPERUSER_PASSWORD: PASSWORD,
      PATRONI_REPLICATION_PASSWORD: PASSWORD,
      PATRONI_REWIND_PASSWORD: PASSWORD,
    };
    // What has been killed and frozen too.
    process.on('exit', () => this.#killPostgres());
  }

  /** Whether Patroni runs. */
  get isRunning(): boolean {
    return this.#patroni?.isRunning() ?? false;
  }

  /** Starts Patroni, which starts PostgreSQL. */
  async start(): Promise<void> {
    const { folder, ids, log } = this.#options;
    await mkdir(folder, { recursive: true });
    this.#patroni = await startDaemon({
      program: 'patroni',
      args: [PATRONI_FILE],
      env: this.env,
      cwd: folder,
      ids,
      log,
    });
  }

  /** Whether Patroni says that this is the primary, as HAProxy asks it. */
  async isPrimary(): Promise<boolean> {
    const answer = await fetch(`http://${this.host}:8008/primary`, {
      signal: AbortSignal.timeout(1_000),
    }).catch(() => undefined);
    await answer?.body?.cancel();
    return answer?.status === 200;
  }

  /** SIGKILL for Patroni alone: nobody looks after PostgreSQL, which goes on. */
  async killPatroni(): Promise<void> {
    await this.#patroni?.end('SIGKILL');
  }

  /** SIGKILL for everything on it. */
  async kill(): Promise<void> {
    await this.killPatroni();
    const pid = this.#killPostgres();
    if (pid !== undefined) await until('PostgreSQL to end', () => descendantsOf(pid).length === 0);
  }

  /** Stops everything on it as a host that hangs does: its connections stay open, and nobody answers. `SIGCONT` ends that. */
  signalAll(signal: 'SIGSTOP' | 'SIGCONT'): void {
    const pids = [this.#patroni?.pid, ...this.#postgres()].filter((pid) => pid !== undefined);
    for (const pid of pids) tryKill(pid, signal);
  }

  /** Stops the processes that send the log of writes to the standbys, or lets them go on. */
  async signalSenders(signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    for (const pid of this.#postgres()) {
      const title = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (/walsender/.test(title)) tryKill(pid, signal);
    }
  }

  /** PostgreSQL's processes, the postmaster first. */
  #postgres(): number[] {
    const pid = this.#postmaster();
    return pid === undefined ? [] : [pid, ...descendantsOf(pid)];
  }

  #postmaster(): number | undefined {
    try {
      const [pid = ''] = readFileSync(join(this.#data, 'postmaster.pid'), 'utf8').split('\n');
      const title = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return title.includes(this.#data) ? Number(pid) : undefined;
    } catch {
      // It does not run.
      return undefined;
    }
  }

  #killPostgres(): number | undefined {
    const [postmaster, ...others] = this.#postgres();
    for (const pid of [postmaster, ...others]) if (pid !== undefined) tryKill(pid, 'SIGKILL');
    return postmaster;
  }
}

function tryKill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
