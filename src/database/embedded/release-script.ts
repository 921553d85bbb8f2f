/**
 * What releaseOnExit() runs while its process waits to end: `node release-script.ts <directory> <backend>`.
 * Ends the session that holds that process's lease, then leaves in its place.
 */
import { placeOf, readCluster } from './cluster.ts';
import { leave, terminate } from './lease.ts';
import { deadlineIn } from './retry.ts';

const [directory = '', backend] = process.argv.slice(2);
const cluster = await readCluster(placeOf(directory));
if (cluster)
  await leave(cluster, deadlineIn(20_000), undefined, (session) => terminate(session, Number(backend)));
