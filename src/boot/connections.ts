import type { Settings } from '../../config/settings.ts';

/**
 * The most connections that a process keeps open beside its pool: one listens for changes, one announces them, and one asks whether
 * the database can serve. Metrics have another one, and so has the comparison with read replicas.
 */
export function connectionsBesidePool({ metrics, replicas }: Pick<Settings, 'metrics' | 'replicas'>): number {
  return 3 + (metrics.port === null ? 0 : 1) + (replicas.urls.length === 0 ? 0 : 1);
}
