import { chooseAccount } from './account.ts';
import { acquire } from './acquire.ts';
import { findBinaries } from './binaries.ts';
import { ensureCluster, placeOf } from './cluster.ts';
import { sweepDrafts } from './draft.ts';
import { HeldDatabase } from './held-database.ts';
import { deadlineIn } from './retry.ts';
import type { EmbeddedDatabase, EmbeddedOptions } from './types.ts';

export type { EmbeddedDatabase, EmbeddedOptions, Log } from './types.ts';

/**
 * Opens the embedded database: a real PostgreSQL on a port of 127.0.0.1, its files in
 * `directory`, its password known to nobody else. The first to come makes the cluster and
 * starts the server; whoever comes later uses the same one; the last to {@link
 * EmbeddedDatabase.release} stops it. Nothing committed is lost when any of the processes
 * is killed -9 at any instant: the next call finishes, adopts or recovers what it finds.
 *
 * Not for production: there is one server, on this machine, with no backup.
 * @throws Error that says what stands in the way and what to do about it.
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  const began = performance.now();
  const deadline = deadlineIn(options.timeoutMs);
  const place = placeOf(options.directory);

  const account = await chooseAccount(place);
  await sweepDrafts(place.directory);
  const binaries = await findBinaries(account);
  const cluster = await ensureCluster(place, binaries, account, deadline);
  const setup = { cluster, binaries, account, parameters: options.parameters ?? {} };

  const database = new HeldDatabase(setup, options, await acquire(setup, deadline));
  const { directory, port, origin } = database;
  const ms = Math.round(performance.now() - began);
  options.log.info({ directory, port, account: account.name, ms }, `embedded PostgreSQL ${origin}`);
  return database;
}
