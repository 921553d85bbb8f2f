import { type ObservedServer, startObserved } from './metrics.ts';
import type { PostgresServer } from './postgres-server.ts';
import { until } from './until.ts';

/** The URL of a server of a test's own. */
export function urlOf({ port }: Pick<PostgresServer, 'port'>): string {
  return `postgres://postgres@127.0.0.1:${port}/postgres`;
}

/** Stops the replay on a standby: from now on it shows what it has, and nothing newer. */
export async function pauseReplay(standby: PostgresServer): Promise<void> {
  await standby.query('select pg_wal_replay_pause()');
  await until('the pause', async () => {
    const [row] = await standby.query<{ state: string }>('select pg_get_wal_replay_pause_state() as state');
    return row?.state === 'paused';
  });
}

/** Lets the replay go on. */
export async function resumeReplay(standby: PostgresServer): Promise<void> {
  await standby.query('select pg_wal_replay_resume()');
}

/** Starts a service that reads from replicas, and waits until it uses as many as `used`. */
export async function startReading(
  primary: string,
  replicas: readonly string[],
  env: NodeJS.ProcessEnv = {},
  used = replicas.length,
): Promise<ObservedServer> {
  const server = await startObserved({
    DATABASE_URL: primary,
    DATABASE_REPLICA_URLS: replicas.join(','),
    DATABASE_REPLICA_MAX_LAG_MS: '600000',
    RATE_LIMIT_REQUESTS: '0',
    ...env,
  });
  await until('the read replicas', () => usesOf(server) >= used).catch(async (error) => {
    await server.end('SIGKILL');
    throw error;
  });
  return server;
}

/** How often a service has begun to use a replica. */
export function usesOf({ lines }: Pick<ObservedServer, 'lines'>): number {
  return lines.filter(({ msg }) => msg === 'read replica used').length;
}
