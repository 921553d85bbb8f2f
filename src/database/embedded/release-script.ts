/**
 * `node release-script.ts <directory> <backend>`: releases the lease of a process that is exiting, for releaseOnExit().
 * Ends the session that holds the lease, then stops the server if no other lease is held.
 */
import { locationOf, readCluster } from './cluster.ts';
import { releaseLease, terminateLease } from './lease.ts';
import { deadlineIn } from './retry.ts';

const [directory = '', backend] = process.argv.slice(2);
const cluster = await readCluster(locationOf(directory));
if (cluster) {
  await releaseLease(cluster, deadlineIn(20_000), undefined, (session) =>
    terminateLease(session, Number(backend)),
  );
}
