import type { Socket } from 'node:net';
import { LimitedClient } from './limited-client.ts';

/** The driver's message for a late answer. */
const LATE = 'Query read timeout';

/** What the driver's types leave out. */
type Internals = { _getActiveQuery(): object | null | undefined };

/** Closes a connection that is of no more use: its answer is late, or its server has become a standby. */
export class ImpatientClient extends LimitedClient {
  constructor(...args: ConstructorParameters<typeof LimitedClient>) {
    super(...args);
    this.once('connect', () => this.#watch());
  }

  /** How long the server may say nothing while it is asked something, in milliseconds. Default: any time. */
  protected get patienceMs(): number | undefined {
    return undefined;
  }

  /**
   * By the timer that a socket has. The driver's `query_timeout` makes one for each statement, and these outlive their statements into the
   * old generation of the heap, with all rows: a third of the time of a list went into collecting them.
   */
  #watch(): void {
    const { patienceMs } = this;
    if (patienceMs === undefined) return;
    const stream = this.connection.stream as Socket;
    stream.setTimeout(patienceMs).on('timeout', () => {
      if ((this as unknown as Internals)._getActiveQuery()) stream.destroy(new Error(LATE));
    });
  }

  override query(...args: unknown[]): never {
    const result = (super.query as (...args: unknown[]) => unknown).apply(this, args);
    if (!(result instanceof Promise)) return result as never;
    // A chain without branches, which the stack of an error leads along.
    return result.catch((error: Error & { code?: string }) => {
      // The pool would keep a server that refuses writes.
      if (error.code === '25006') this.connection.stream.destroy();
      throw error;
    }) as never;
  }
}
