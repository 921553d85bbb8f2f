import { type Session, takeLease } from './lease.ts';
import { findPostmaster } from './postmaster.ts';
import { type Deadline, retry, TryAgain } from './retry.ts';
import { freePort, PortTaken, type Setup, startServer } from './start.ts';

/** A lease, and where the server is that it is on. */
export interface Acquired {
  readonly lease: Session;
  readonly port: number;
  /** Whether this call started the server. */
  readonly started: boolean;
}

/** For those who had a lease and lost it. */
export interface Again {
  /** The port on which the server must be, because it is known already. */
  readonly port: number;
  /** Aborts when the lease is no longer wanted. */
  readonly signal: AbortSignal;
}

/**
 * Takes a lease on the cluster's server, starting it when it is down, and starting over whenever it goes away in between.
 * @throws Error after the deadline, or when the server cannot start; the signal's reason.
 */
export async function acquire(setup: Setup, deadline: Deadline, again?: Again): Promise<Acquired> {
  const { cluster } = setup;
  const taken = new Set<number>();
  let startedPid: number | undefined;

  return retry(deadline, `The embedded PostgreSQL in ${cluster.place.directory}`, async () => {
    again?.signal.throwIfAborted();
    const server = await findPostmaster(cluster);
    if (server?.state === 'busy') throw new TryAgain('it is starting, recovering or stopping');

    if (server?.state === 'ready' && server.port) {
      if (again && server.port !== again.port) {
        throw new Error(
          `The embedded PostgreSQL now listens on port ${server.port}, no longer on ${again.port}.`,
        );
      }
      const lease = await takeLease(cluster, server.port, deadline);
      return { lease, port: server.port, started: server.pid === startedPid };
    }

    // After a crash the old port, where the pools of those who used the server look for it.
    const port = again?.port ?? (server?.port && !taken.has(server.port) ? server.port : await freePort());
    try {
      startedPid = await startServer(setup, port, server?.pid, deadline);
    } catch (error) {
      if (error instanceof PortTaken) taken.add(port);
      throw error;
    }
    throw new TryAgain('it has just started');
  });
}
