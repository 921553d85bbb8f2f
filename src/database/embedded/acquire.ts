import { releaseLease, type Session, takeLease } from './lease.ts';
import { findPostmaster } from './postmaster.ts';
import { type Deadline, retry, TryAgain } from './retry.ts';
import { findFreePort, PortTaken, type Setup, startServer } from './start.ts';

/**
 * Attempts to start on the port from before a crash, where existing connection pools expect the server. The remains of
 * the dead server may hold the port for a moment.
 */
const OLD_PORT_ATTEMPTS = 5;

/** A lease and the port of its server. */
export interface Acquired {
  readonly lease: Session;
  readonly port: number;
  /** Whether this call started the server. */
  readonly started: boolean;
}

/** How to take a lease. */
export interface AcquireOptions {
  /** The port that the server must use, where a lost lease is regained: callers already know it. */
  readonly port?: number;
  /** Aborts when the lease is no longer needed. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Takes a lease on the cluster's server. Starts the server if it is down, and tries again if it stops meanwhile. After an
 * abort, it stops a server that it has started, unless others use it.
 * @throws {Error} after the deadline, or if the server cannot start; the signal's reason after an abort.
 */
export async function acquire(
  setup: Setup,
  deadline: Deadline,
  { port: knownPort, signal }: AcquireOptions = {},
): Promise<Acquired> {
  const { cluster } = setup;
  let startedPid: number | undefined;
  let oldPort: number | undefined;
  let failedAttempts = 0;

  return retry(deadline, cluster.location.title, async () => {
    if (signal?.aborted) {
      // Nobody else may know of it, and no lease would stop it.
      if (startedPid !== undefined) await releaseLease(cluster, deadline);
      throw signal.reason;
    }
    const server = await findPostmaster(cluster);
    if (server?.state === 'busy') throw new TryAgain('it is starting, recovering or stopping');

    if (server?.state === 'ready' && server.port) {
      if (knownPort !== undefined && server.port !== knownPort) {
        throw new Error(
          `The embedded PostgreSQL moved from port ${knownPort} to ${server.port}: restart this process.`,
        );
      }
      const lease = await takeLease(cluster, server.port, deadline);
      return { lease, port: server.port, started: server.pid === startedPid };
    }

    oldPort ??= server?.port;
    const port =
      knownPort ?? (oldPort && failedAttempts < OLD_PORT_ATTEMPTS ? oldPort : await findFreePort());
    try {
      startedPid = await startServer(setup, port, server?.pid, deadline);
    } catch (error) {
      if (error instanceof PortTaken) failedAttempts++;
      throw error;
    }
    throw new TryAgain('it has just started');
  });
}
