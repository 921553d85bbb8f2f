import type { Settings } from '../../config/settings.ts';

/**
 * The most connections that a process keeps open beside its pool: one listens for changes, one announces them, and one asks whether
 * the database can serve. Metrics have another one. With read replicas, one is for the comparison with them, and one is the check of the
 * primary, which may be named among them.
 */
export function connectionsBesidePool({ metrics, replicas }: Pick<Settings, 'metrics' | 'replicas'>): number {
  return 3 + (metrics.port === null ? 0 : 1) + (replicas.urls.length === 0 ? 0 : 2);
}

/** The most connections that a process keeps open to a read replica beside its pool there: one checks it. */
export const CONNECTIONS_BESIDE_REPLICA_POOL = 1;
