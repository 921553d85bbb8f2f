import type { EntityManager } from '@mikro-orm/postgresql';
import { feedLag } from '../../store/feed-lag.ts';
import { runAlone } from '../../store/statements.ts';

/** How far the feed is behind the history, in seconds, see {@link feedLag}. */
export function feedLagSeconds(em: EntityManager): Promise<number> {
  return feedLag((statement) => runAlone(em, statement));
}
