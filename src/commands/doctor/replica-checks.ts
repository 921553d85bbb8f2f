import type { EntityManager } from '@mikro-orm/postgresql';
import type { Settings } from '../../../config/settings.ts';
import { CONNECTIONS_BESIDE_REPLICA_POOL } from '../../boot/connections.ts';
import { clientOf, endClient } from '../../database/connection.ts';
import { type Reached, reachOnce } from '../../database/reach-database.ts';
import { CONNECTIONS } from '../../database/server-survey.ts';
import { STARTED_AT } from '../../store/log-end.ts';
import { reachedFinding } from './connection-check.ts';
import { type Finding, messageOf, ok, problem, warning } from './finding.ts';
import { connectionsFinding } from './server-checks.ts';

/** How long a replica has to answer, in milliseconds. */
const PATIENCE_MS = 5_000;

const SERVER = `
  select (select system_identifier::text from pg_control_system()) as system, ${STARTED_AT}`;

const STANDBY = `
  select server.*, pg_is_in_recovery() as "isStandby", exists (select from pg_stat_wal_receiver) as receives,
         case when pg_is_in_recovery() then pg_is_wal_replay_paused() else false end as "isPaused",
         current_setting('hot_standby_feedback') = 'on' as "hasFeedback", ${CONNECTIONS} as connections
    from (${SERVER}) as server`;

interface Server {
  readonly system: string;
  readonly startedAt: string;
}

interface Standby extends Server {
  readonly isStandby: boolean;
  readonly receives: boolean;
  readonly isPaused: boolean;
  readonly hasFeedback: boolean;
  /** How many connections this role may open at most. */
  readonly connections: number;
}

/** Checks each read replica: that it is a standby of the primary behind `em`, which follows it. */
export async function checkReplicas(
  em: EntityManager,
  { replicas, database }: Pick<Settings, 'replicas' | 'database'>,
): Promise<Finding[]> {
  if (replicas.urls.length === 0) return [];
  const [primary] = await em.execute<Server[]>(SERVER);
  const limits = { ...database, connectTimeoutMs: PATIENCE_MS, statementTimeoutMs: PATIENCE_MS };
  const checked = replicas.urls.map(async (url, index) => {
    const check = `replica ${index + 1}`;
    try {
      const reached = await reachOnce({ ...limits, url, role: 'any' });
      return findingsOf(check, reached, await ask(reached), { primary, database });
    } catch (error) {
      const mend =
        'Check that server, and its URL in DATABASE_REPLICA_URLS. Until then, the primary is read.';
      return [problem(check, `it is left out: ${messageOf(error)}`, mend)];
    }
  });
  return (await Promise.all(checked)).flat();
}

async function ask({ database, mode }: Reached): Promise<Standby> {
  const client = clientOf(database, mode, 'rollcall doctor');
  try {
    await client.connect();
    const { rows } = await client.query<Standby>(STANDBY);
    return rows[0] as Standby;
  } finally {
    await endClient(client, database);
  }
}

function findingsOf(
  check: string,
  reached: Reached,
  standby: Standby,
  { primary, database }: { primary: Server | undefined } & Pick<Settings, 'database'>,
): Finding[] {
  const { system, startedAt, isStandby, receives, isPaused, hasFeedback } = standby;
  const mend = 'Name standbys of the server in DATABASE_URL alone in DATABASE_REPLICA_URLS.';
  if (system !== primary?.system)
    return [problem(check, 'it is left out: it belongs to another cluster', mend)];
  if (!isStandby && startedAt === primary.startedAt)
    return [ok(check, 'it is the primary now, and not read from as a replica')];
  if (!isStandby)
    return [problem(check, 'it is left out: it is a primary, and not the one of DATABASE_URL', mend)];
  const findings = [
    reachedFinding(check, 'a standby', reached),
    connectionsFinding(check, { database }, CONNECTIONS_BESIDE_REPLICA_POOL, standby),
  ];
  if (!receives) {
    const mend =
      'Check primary_conninfo and the log of that server: without it, the replica is left out soon.';
    findings.push(warning(check, 'it does not receive the log of the primary', mend));
  }
  if (isPaused)
    findings.push(warning(check, 'its replay is paused', 'Run there: select pg_wal_replay_resume()'));
  if (!hasFeedback) {
    const mend = 'Set hot_standby_feedback to on there; the primary then keeps old rows while they are read.';
    findings.push(warning(check, 'long exports may be cut off by what the primary cleans up', mend));
  }
  return findings;
}
