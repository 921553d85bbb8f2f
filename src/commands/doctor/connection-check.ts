import { type DatabaseUrl, parseDatabaseUrl } from '../../../config/database-url.ts';
import type { Settings } from '../../../config/settings.ts';
import { addressOf } from '../../database/address.ts';
import { isUnavailable } from '../../database/driver-errors.ts';
import { reachIfRunning } from '../../database/open-database.ts';
import type { Reached } from '../../database/reach-database.ts';
import { ReadOnlyStandby } from '../../database/standby.ts';
import { isOnThisMachine } from '../../database/tls.ts';
import { DatabaseUnfit } from '../../database/unfit.ts';
import { type Finding, messageOf, ok, problem, warning } from './finding.ts';

/** The longest wait for an answer, in milliseconds: the doctor is asked by people. */
const PATIENCE_MS = 10_000;

/** Tries to reach the database, once, and starts none. Without it there are only findings. */
export async function checkConnection(
  settings: Settings,
): Promise<{ reached?: Reached; findings: Finding[] }> {
  const { database, dataDir, bootTimeoutMs } = settings;
  const limits = {
    connectTimeoutMs: Math.min(database.connectTimeoutMs, PATIENCE_MS),
    statementTimeoutMs: Math.min(database.statementTimeoutMs, PATIENCE_MS),
  };
  try {
    const reached = await reachIfRunning({ database: { ...database, ...limits }, dataDir, bootTimeoutMs });
    if (reached === undefined) {
      const message = `the embedded PostgreSQL in ${dataDir} is not running`;
      return { findings: [warning('database', message, 'Start the service, and run the doctor again.')] };
    }
    return { reached, findings: [reachedFinding('database', 'a primary', reached)] };
  } catch (error) {
    return { findings: [unreached(error)] };
  }
}

/** How a database is reached, and whether somebody in between could read the connection. */
export function reachedFinding(check: string, role: string, { database, mode }: Reached): Finding {
  const url = parseDatabaseUrl(database.url);
  const encrypted = database.found?.encrypted === true;
  const how = mode === 'pooled' ? 'through a pooler, in transaction mode' : 'directly';
  const message = `${addressOf(database)}: ${role}, reached ${how}, ${encrypted ? 'encrypted' : 'not encrypted'}`;
  const doubt = url.hosts.every(({ host }) => isOnThisMachine(host)) ? undefined : doubtOf(url, encrypted);
  return doubt === undefined ? ok(check, message) : warning(check, message, doubt);
}

/** What to do about a connection to another machine that somebody in between could read. */
function doubtOf({ tls }: DatabaseUrl, encrypted: boolean): string | undefined {
  if (!encrypted)
    return 'Whoever is in between can read it: enable TLS on the server, and write sslmode=verify-full.';
  const isChecked =
    tls.mode === 'verify-full' ||
    tls.mode === 'verify-ca' ||
    (tls.mode === 'require' && tls.rootCert !== undefined);
  return isChecked
    ? undefined
    : 'The certificate is not checked: write sslmode=verify-full, with sslrootcert for a private authority.';
}

function unreached(error: unknown): Finding {
  const message = messageOf(error);
  if (error instanceof DatabaseUnfit || error instanceof ReadOnlyStandby)
    return problem('database', message, 'Do what the message says; no start succeeds until then.');
  if (isUnavailable(error))
    return problem(
      'database',
      `it does not answer: ${message}`,
      'Check that PostgreSQL runs, that the host and the port in DATABASE_URL are right, and that no firewall is in between.',
    );
  return problem(
    'database',
    `it refuses the connection: ${message}`,
    'Check the user, the password and the database in DATABASE_URL, and pg_hba.conf on the server.',
  );
}
