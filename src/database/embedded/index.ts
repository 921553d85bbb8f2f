import { acquire } from './acquire.ts';
import { findBinaries } from './binaries.ts';
import { ensureCluster, locationOf, readCluster, urlOf } from './cluster.ts';
import { sweepDrafts } from './draft.ts';
import { HeldDatabase } from './held-database.ts';
import { chooseOsUser } from './os-user.ts';
import { findPostmaster } from './postmaster.ts';
import { deadlineIn } from './retry.ts';
import type { EmbeddedDatabase, EmbeddedOptions } from './types.ts';

export type { EmbeddedDatabase, EmbeddedOptions, Log } from './types.ts';

/**
 * Opens the embedded database: a real PostgreSQL on a port of 127.0.0.1, with its files and a secret password in
 * `directory`. The first process creates the cluster and starts the server, later processes share it, and the last
 * {@link EmbeddedDatabase.release} stops it. No committed data is lost if a kill -9 hits any of these processes at any
 * moment: the next call completes, adopts or recovers what it finds.
 *
 * Not for production: one server on one machine, without backup.
 * @throws {Error} with the problem and the remedy.
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  const startedAt = performance.now();
  const deadline = deadlineIn(options.timeoutMs);
  const location = locationOf(options.directory);

  const user = await chooseOsUser(location);
  await sweepDrafts(location.directory);
  const binaries = await findBinaries(user);
  const cluster = await ensureCluster(location, binaries, user, deadline, options.signal);
  const setup = { cluster, binaries, user, parameters: options.parameters ?? {} };

  const database = new HeldDatabase(
    setup,
    options,
    await acquire(setup, deadline, { signal: options.signal }),
  );
  const { directory, port, origin } = database;
  const ms = Math.round(performance.now() - startedAt);
  options.log.info({ directory, port, account: user.name, ms }, `embedded PostgreSQL ${origin}`);
  return database;
}

/**
 * The URL of the embedded database in `directory` while another process keeps its server running; else `undefined`. Takes no
 * lease: the server may stop at any time.
 * @throws {Error} if the cluster is damaged.
 */
export async function runningUrl(directory: string): Promise<string | undefined> {
  const cluster = await readCluster(locationOf(directory));
  if (cluster === undefined) return undefined;
  const server = await findPostmaster(cluster);
  return server?.state === 'ready' && server.port ? urlOf(cluster, server.port) : undefined;
}
