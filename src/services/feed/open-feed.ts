import type { EntityManager } from '@mikro-orm/postgresql';
import { refusals } from '../../domain/refusals.ts';
import type { Sight } from '../../store/feed-epoch.ts';
import { feedEnd, readFeedPage } from '../../store/feed-page.ts';
import { type FeedEntry, type FeedPosition, isFeedStart } from '../../store/feed-position.ts';

/**
 * The first page for a reader of the feed, the position that it comes after (the given one, or the end of the feed for `now`), and
 * when they were read. Throws `cursor_outdated` where the reader may have seen changes that the database no longer has, and
 * `bad_cursor` where no entry can have that position.
 */
export async function openFeed(
  em: EntityManager,
  start: FeedPosition | 'now',
  limit: number,
): Promise<{ after: FeedPosition; entries: readonly FeedEntry[]; hasMore: boolean; seen: Sight }> {
  if (start === 'now') {
    const end = await feedEnd(em);
    return { after: end, entries: [], hasMore: false, seen: end.seen };
  }
  const { isKnown, isOutdated, entries, hasMore, seen } = await readFeedPage(em, start, limit);
  if (isOutdated) throw refusals.cursorOutdated();
  if (!isKnown) throw refusals.badCursor();
  // The older it was read, the more failovers it outlives. A cursor of an older version says nothing of that.
  const after = start.seen !== undefined || isFeedStart(start) ? start : { ...start, seen };
  return { after, entries, hasMore, seen };
}
