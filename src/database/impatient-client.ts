import { LimitedClient } from './limited-client.ts';

/** Closes a connection that is of no more use: its answer is late, or its server has become a standby. */
export class ImpatientClient extends LimitedClient {
  override query(...args: unknown[]): never {
    const result = (super.query as (...args: unknown[]) => unknown).apply(this, args);
    if (result instanceof Promise) {
      result.catch((error: Error & { code?: string }) => {
        // With `pg`, the next query would wait behind a late answer. The pool would keep a server that refuses writes (25006).
        if (error.message === 'Query read timeout' || error.code === '25006')
          this.connection.stream.destroy();
      });
    }
    return result as never;
  }
}
