import { type Acquired, acquire } from './acquire.ts';
import { USER } from './cluster.ts';
import { leave, type Session } from './lease.ts';
import { deadlineIn } from './retry.ts';
import type { Setup } from './start.ts';
import type { EmbeddedDatabase, EmbeddedOptions } from './types.ts';

/** A server that has to be brought back more often than this within the window is not worth bringing back. */
const MOST_LOSSES = 10;
const WINDOW_MS = 60_000;

/**
 * A lease and its upkeep: lost with a crash of the server, it is taken again in the background, and the
 * server is started again on the same port, so that the pools which know the URL recover by themselves.
 */
export class HeldDatabase implements EmbeddedDatabase {
  readonly origin: 'started' | 'adopted';
  readonly port: number;
  readonly directory: string;
  readonly #setup: Setup;
  readonly #options: EmbeddedOptions;
  readonly #losses: number[] = [];
  #lease: Session;
  #comingBack: Promise<void> | undefined;
  readonly #letGo = new AbortController();
  #releasing: Promise<void> | undefined;
  #released = false;

  constructor(setup: Setup, options: EmbeddedOptions, acquired: Acquired) {
    this.#setup = setup;
    this.#options = options;
    this.origin = acquired.started ? 'started' : 'adopted';
    this.port = acquired.port;
    this.directory = setup.cluster.place.directory;
    this.#lease = acquired.lease;
    this.#watch();
  }

  /** A getter, so that whoever logs or serialises this object does not print the password. */
  get url(): string {
    return `postgres://${USER}:${this.#setup.cluster.password}@127.0.0.1:${this.port}/rollcall`;
  }

  /** The server's process that holds the lease; undefined after release() is done. */
  get backend(): number | undefined {
    return this.#released ? undefined : this.#lease.backend;
  }

  release(): Promise<void> {
    this.#releasing ??= this.#release();
    return this.#releasing;
  }

  async #release(): Promise<void> {
    this.#letGo.abort();
    await this.#comingBack;
    await leave(this.#setup.cluster, deadlineIn(this.#options.timeoutMs), this.#lease);
    this.#released = true;
  }

  #watch(): void {
    void this.#lease.closed.then(() => {
      if (!this.#letGo.signal.aborted) this.#comingBack = this.#comeBack();
    });
  }

  async #comeBack(): Promise<void> {
    const { log, timeoutMs } = this.#options;
    const where = { directory: this.directory, port: this.port };
    try {
      log.warn(where, 'embedded PostgreSQL went away: bringing it back');
      this.#countLoss();
      const { lease, started } = await acquire(this.#setup, deadlineIn(timeoutMs), {
        port: this.port,
        signal: this.#letGo.signal,
      });
      this.#lease = lease;
      log.info({ ...where, started }, 'embedded PostgreSQL is back');
      this.#watch();
    } catch (error) {
      if (this.#letGo.signal.aborted) return;
      log.error({ ...where, err: error }, 'embedded PostgreSQL is lost: restart to get it back');
    }
  }

  #countLoss(): void {
    const now = performance.now();
    while (this.#losses[0] !== undefined && this.#losses[0] < now - WINDOW_MS) this.#losses.shift();
    this.#losses.push(now);
    if (this.#losses.length > MOST_LOSSES) throw new Error('it went away too often within a minute');
  }
}
