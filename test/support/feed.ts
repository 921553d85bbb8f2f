import type { EntityManager } from '@mikro-orm/postgresql';
import { readFeedPage } from '../../src/store/feed-page.ts';
import type { FeedEntry, FeedPosition } from '../../src/store/feed-position.ts';

/** The entries of a page of the feed. */
export async function readFeed(
  em: EntityManager,
  after: FeedPosition,
  limit: number,
): Promise<readonly FeedEntry[]> {
  return (await readFeedPage(em, after, limit)).entries;
}

/** The place in a cursor, which each reading of an entry has, without the time of the reading. */
export function placeOf(cursor: string | undefined): string {
  return cursor?.split('-').slice(0, 2).join('-') ?? '';
}
