import { type Acquired, acquire } from './acquire.ts';
import { urlOf } from './cluster.ts';
import { releaseLease, type Session } from './lease.ts';
import { deadlineIn } from './retry.ts';
import type { Setup } from './start.ts';
import type { EmbeddedDatabase, EmbeddedOptions } from './types.ts';

/** A server that is lost more often than this within the window is not restored again. */
const MAX_LOSSES = 10;
const LOSS_WINDOW_MS = 60_000;

/**
 * A lease that survives crashes of the server. After a crash it restarts the server on the same port in the background
 * and takes a new lease, so that connection pools with the URL recover by themselves.
 */
export class HeldDatabase implements EmbeddedDatabase {
  readonly origin: 'started' | 'adopted';
  readonly port: number;
  readonly directory: string;
  readonly #setup: Setup;
  readonly #options: EmbeddedOptions;
  readonly #losses: number[] = [];
  #lease: Session;
  #recovery: Promise<void> | undefined;
  readonly #abort = new AbortController();
  #releasing: Promise<void> | undefined;
  #released = false;

  constructor(setup: Setup, options: EmbeddedOptions, acquired: Acquired) {
    this.#setup = setup;
    this.#options = options;
    this.origin = acquired.started ? 'started' : 'adopted';
    this.port = acquired.port;
    this.directory = setup.cluster.location.directory;
    this.#lease = acquired.lease;
    this.#watch();
  }

  /** A getter, so that logging or serialising this object does not print the password. */
  get url(): string {
    return urlOf(this.#setup.cluster, this.port);
  }

  /** The pid of the server process that holds the lease; `undefined` after release(). */
  get backend(): number | undefined {
    return this.#released ? undefined : this.#lease.backend;
  }

  release(): Promise<void> {
    this.#releasing ??= this.#release();
    return this.#releasing;
  }

  async #release(): Promise<void> {
    this.#abort.abort();
    await this.#recovery;
    await releaseLease(this.#setup.cluster, deadlineIn(this.#options.timeoutMs), this.#lease);
    this.#released = true;
  }

  #watch(): void {
    void this.#lease.closed.then(() => {
      if (!this.#abort.signal.aborted) this.#recovery = this.#recover();
    });
  }

  async #recover(): Promise<void> {
    const { log, timeoutMs } = this.#options;
    const fields = { directory: this.directory, port: this.port };
    try {
      log.warn(fields, 'embedded PostgreSQL lost; restoring it; if it is lost again, find out what ends it');
      this.#countLoss();
      const { lease, started } = await acquire(this.#setup, deadlineIn(timeoutMs), {
        port: this.port,
        signal: this.#abort.signal,
      });
      this.#lease = lease;
      log.info({ ...fields, started }, 'embedded PostgreSQL restored');
      this.#watch();
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      log.error({ ...fields, err: error }, 'embedded PostgreSQL not restored; restart this process');
    }
  }

  #countLoss(): void {
    const now = performance.now();
    while (this.#losses[0] !== undefined && this.#losses[0] < now - LOSS_WINDOW_MS) this.#losses.shift();
    this.#losses.push(now);
    if (this.#losses.length > MAX_LOSSES) {
      throw new Error(`The embedded PostgreSQL was lost more than ${MAX_LOSSES} times within a minute.`);
    }
  }
}
