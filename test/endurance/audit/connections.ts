import { until } from '../../support/until.ts';
import { connections } from '../phases.ts';
import type { Stage } from '../stage.ts';
import type { Finding } from './finding.ts';

/** How long connections may take to end, in milliseconds. */
const PATIENCE_MS = 60_000;

/** Stops the replicas, as an orchestrator does, and PgBouncer: no connection to PostgreSQL may be left. */
export async function auditConnections(stage: Stage): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const replica of stage.replicas) {
    await replica.stop().catch((error: Error) => findings.push({ kind: 'problem', detail: error.message }));
  }
  await stage.pooler?.close();
  const areGone = async () => (await connections(stage)) === 0;
  await until('the connections to end', areGone, PATIENCE_MS).catch(async () => {
    findings.push({ kind: 'connections', detail: `${await connections(stage)} connections are left` });
  });
  return findings;
}
