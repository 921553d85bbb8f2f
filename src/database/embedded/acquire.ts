import { type Session, takeLease } from './lease.ts';
import { findPostmaster } from './postmaster.ts';
import { type Deadline, retry, TryAgain } from './retry.ts';
import { freePort, PortTaken, type Setup, startServer } from './start.ts';

/**
 * After a crash a server goes back to the old port, where the pools of those who used it look for it. This
 * often a newcomer tries to have it: what is left of the dead server may hold it for an instant more.
 */
const PATIENCE = 5;

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
 * Takes a lease on the cluster's server, starting it when it
 * is down, and starting over whenever it goes away in between.
 * @throws Error after the deadline, or when the server cannot start; the signal's reason.
 */
export async function acquire(setup: Setup, deadline: Deadline, again?: Again): Promise<Acquired> {
  const { cluster } = setup;
  let startedPid: number | undefined;
  let oldPort: number | undefined;
  let refusals = 0;

  return retry(deadline, cluster.place.title, async () => {
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

    oldPort ??= server?.port;
    const port = again?.port ?? (oldPort && refusals < PATIENCE ? oldPort : await freePort());
    try {
      startedPid = await startServer(setup, port, server?.pid, deadline);
    } catch (error) {
      if (error instanceof PortTaken) refusals++;
      throw error;
    }
    throw new TryAgain('it has just started');
  });
}
