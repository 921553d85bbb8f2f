import type { EntityManager } from '@mikro-orm/postgresql';
import { refusals } from '../../domain/refusals.ts';
import { feedEnd, readFeedPage } from '../../store/feed-page.ts';
import type { FeedEntry, FeedPosition } from '../../store/feed-position.ts';

/**
 * The first page for a reader of the feed, and the position that it comes after: the given one, or the end of the feed for
 * `now`. Throws `bad_cursor` where no entry can have that position: it is from another feed, or its entry was lost with a
 * database that had to be restored.
 */
export async function openFeed(
  em: EntityManager,
  start: FeedPosition | 'now',
  limit: number,
): Promise<{ after: FeedPosition; entries: readonly FeedEntry[] }> {
  if (start === 'now') return { after: await feedEnd(em), entries: [] };
  const { isKnown, entries } = await readFeedPage(em, start, limit);
  if (!isKnown) throw refusals.badCursor();
  return { after: start, entries };
}
