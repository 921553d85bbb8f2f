import { open } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { findFreePort } from '../../src/database/embedded/start.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';
import { until } from '../support/until.ts';

/** How long a start may take on a busy machine, in milliseconds. */
const PATIENCE_MS = 120_000;

/** How to start a replica. */
export interface ReplicaOptions {
  readonly name: string;
  readonly databaseUrl: string;
  /** The program. */
  readonly entry: string;
  /** The file that its log is added to. */
  readonly log: string;
}

/** A process of the service with an address that it keeps from start to start. */
export class Replica {
  readonly name: string;
  readonly url: string;
  readonly #options: ReplicaOptions;
  readonly #port: number;
  #process: ServerProcess | undefined;

  private constructor(options: ReplicaOptions, port: number) {
    this.name = options.name;
    this.#options = options;
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Chooses its address, and starts nothing. */
  static async create(options: ReplicaOptions): Promise<Replica> {
    return new Replica(options, await findFreePort());
  }

  /** Whether its process runs. */
  get isRunning(): boolean {
    const child = this.#process?.child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Starts it, and resolves when it is ready. `env` is what this start has besides. */
  async start(env: NodeJS.ProcessEnv = {}): Promise<void> {
    await this.begin(env);
    await this.ready();
  }

  /** Starts it, and does not wait until it is ready. */
  async begin(env: NodeJS.ProcessEnv = {}): Promise<void> {
    const log = await open(this.#options.log, 'a');
    const all = {
      ENVIRONMENT: 'production',
      HOST: '127.0.0.1',
      PORT: `${this.#port}`,
      DATABASE_URL: this.#options.databaseUrl,
      INITIAL_ADMINS: 'root@example.com,observer@example.com',
      RATE_LIMIT_REQUESTS: '0',
      RATE_LIMIT_HISTORY_BYTES: '0',
      LOG_LEVEL: 'warn',
      ...env,
    };
    this.#process = startServer(all, this.#options.entry, undefined, log.fd);
    await log.close();
  }

  /** Resolves when it is ready. Rejects if it ends before. */
  async ready(): Promise<void> {
    await until(`${this.name} to be ready`, () => this.#isReady(), PATIENCE_MS);
  }

  async #isReady(): Promise<boolean> {
    if (!this.isRunning) throw new Error(`${this.name} ended before it was ready: see ${this.#options.log}.`);
    await pause(20);
    const answer = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(10_000) }).catch(
      () => undefined,
    );
    await answer?.body?.cancel();
    return answer?.status === 200;
  }

  /** Sends a signal, and resolves with the exit code, or the name of the signal that ended it. */
  async end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null> {
    return this.#process?.end(signal) ?? null;
  }

  /** Stops it as an orchestrator does. Throws where it ends in another way than it should. */
  async stop(): Promise<void> {
    const code = await this.end('SIGTERM');
    if (code !== 0)
      throw new Error(`${this.name} ended with ${code} after SIGTERM: see ${this.#options.log}.`);
  }
}
