import { HORIZON } from './feed-order.ts';
import type { Ask } from './statements.ts';

const LAG = `
  select greatest(0, extract(epoch from clock_timestamp() - at))::float8 as seconds from changes
   where transaction_id >= ${HORIZON} order by transaction_id, id limit 1`;

/**
 * How far the feed is behind the history, in seconds: the age of the oldest change that is committed and not served yet, because
 * an older transaction is still running. 0 where every change is served.
 */
export async function feedLag(ask: Ask): Promise<number> {
  const [oldest] = await ask<{ seconds: number }>({ text: LAG, values: [] });
  return oldest?.seconds ?? 0;
}
