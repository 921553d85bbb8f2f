import type { EntityManager } from '@mikro-orm/postgresql';
import type { Settings } from '../../../config/settings.ts';
import { connectionsBesidePool } from '../../boot/connections.ts';
import type { Reached } from '../../database/reach-database.ts';
import {
  clockDifference,
  OLDEST_SERVER,
  type ServerSurvey,
  surveyServer,
} from '../../database/server-survey.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

/** Clocks that differ by less do no harm; by more, tokens are refused, in milliseconds. */
const CLOCK_WARNING_MS = 2_000;
const CLOCK_PROBLEM_MS = 60_000;

/** Checks the server's version, its settings, and what holds up its other work. */
export async function checkServer(
  em: EntityManager,
  { mode }: Pick<Reached, 'mode'>,
  settings: Settings,
): Promise<Finding[]> {
  const survey = await surveyServer(em);
  const { version, versionNumber, tls } = survey;
  const encryption = tls === null ? '' : `, ${tls}${mode === 'pooled' ? ' behind the pooler' : ''}`;
  const server =
    versionNumber < OLDEST_SERVER
      ? problem('server', `PostgreSQL ${version}`, 'Upgrade it: Rollcall needs version 13 or newer.')
      : ok('server', `PostgreSQL ${version}${encryption}`);
  const connections = connectionsFinding('connections', settings, connectionsBesidePool(settings), survey);
  return [server, connections, ...checkParameters(survey), ...checkWriters(survey)];
}

/** Compares the clocks of the database and of this machine. */
export async function checkClock(em: EntityManager): Promise<Finding[]> {
  const { aheadMs, marginMs } = await clockDifference(em);
  const apart = Math.max(0, Math.abs(aheadMs) - marginMs);
  const seconds = (Math.abs(aheadMs) / 1000).toFixed(1);
  const message = `the database's clock is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} this machine's`;
  const mend = 'Synchronize both, for example by chrony: this machine decides whether a token has expired.';
  if (apart >= CLOCK_PROBLEM_MS) return [problem('clock', message, mend)];
  if (apart >= CLOCK_WARNING_MS) return [warning('clock', message, mend)];
  return [ok('clock', 'the clocks of the database and of this machine agree')];
}

/** Compares the connections that a process opens to a server, its pool and some beside it, with those that the role may have. */
export function connectionsFinding(
  check: string,
  { database: { poolMax } }: Pick<Settings, 'database'>,
  beside: number,
  { connections }: Pick<ServerSurvey, 'connections'>,
): Finding {
  const needed = poolMax + beside;
  const message = `a process opens up to ${needed} connections (DATABASE_POOL_MAX and ${beside}), and this role may have ${connections}`;
  if (connections >= needed) return ok(check, message);
  const mend = 'Lower DATABASE_POOL_MAX, or raise max_connections or the limit of the role or the database.';
  return warning(check, message, mend);
}

function checkParameters({ unsafe, hasAutovacuum, knowsLetters }: ServerSurvey): Finding[] {
  const findings: Finding[] = [];
  if (unsafe.length > 0) {
    const message = `a crash of the server can lose what was acknowledged: ${unsafe.join(', ')}`;
    findings.push(warning('server', message, 'Set them to on, unless these data may be lost.'));
  }
  if (!hasAutovacuum) {
    const message = 'autovacuum is off, so tables and indexes grow without end';
    findings.push(warning('server', message, 'Set autovacuum to on.'));
  }
  if (!knowsLetters) {
    const message = 'LC_CTYPE is C: names outside of the Latin alphabet are found without an index';
    const mend = "If there are many such names, create the database again with lc_ctype 'C.UTF-8'.";
    findings.push(warning('server', message, mend));
  }
  return findings;
}

function checkWriters({ oldestWriter, prepared }: ServerSurvey): Finding[] {
  const findings: Finding[] = [];
  if (oldestWriter !== null) {
    const { pid, seconds } = oldestWriter;
    const message = `a transaction has been open for ${seconds} s after it has written, and the change feed waits for it`;
    findings.push(warning('feed', message, `End it: select pg_terminate_backend(${pid})`));
  }
  if (prepared.length > 0) {
    const message = `prepared transactions are left over, and the change feed waits for them: ${prepared.join(', ')}`;
    findings.push(warning('feed', message, 'End each: rollback prepared or commit prepared, with its name.'));
  }
  return findings;
}
