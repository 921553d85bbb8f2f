import { Readable } from 'node:stream';
import type { Change } from '../../domain/change.ts';
import { type FeedEntry, type FeedPosition, feedCursor } from '../../store/feed-page.ts';
import { DoorError } from './problem.ts';
import { changeView } from './views.ts';

/** How long a client that has lost the stream is to wait before it comes again, in milliseconds: not all at once. */
const MIN_RETRY_MS = 1_000;
const MAX_RETRY_MS = 3_000;

/** So much text is enough for one write. */
const CHUNK_LENGTH = 2 ** 16;

/** What a stream is made of. */
export interface ChangeStreamSource {
  /** The position that it begins after. */
  readonly after: FeedPosition;
  /** What there is already. */
  readonly entries: readonly FeedEntry[];
  /** What comes later; none, where it is time for a sign of life. */
  readonly live: AsyncIterable<readonly FeedEntry[]>;
  /** Whether this change is the last one that the caller is to see. */
  readonly isLast: (change: Change) => boolean;
  /** How long the caller may take to take a part of it, in milliseconds. */
  readonly stallMs: number;
}

/**
 * The feed as server-sent events (WHATWG HTML, section 9.2): each change an event whose id is its cursor, and a comment
 * as a sign of life. It is read no faster than it is taken, so that it has a page in memory at the most; a caller who does
 * not take a part of it in time is cut off.
 */
export function changeStream({ stallMs, ...source }: ChangeStreamSource): Readable {
  const stream = Readable.from(watched(), { objectMode: true, highWaterMark: 1 });
  async function* watched(): AsyncGenerator<string> {
    for await (const text of textOf(source)) {
      const stalled = setTimeout(() => {
        stream.destroy(new DoorError('request_aborted', 'The caller is too slow for the event stream.'));
      }, stallMs);
      try {
        yield text;
      } finally {
        clearTimeout(stalled);
      }
    }
  }
  return stream;
}

async function* textOf({ after, entries, live, isLast }: Omit<ChangeStreamSource, 'stallMs'>) {
  const retryMs = MIN_RETRY_MS + Math.floor(Math.random() * (MAX_RETRY_MS - MIN_RETRY_MS));
  // With an id: who loses the stream before the first event must not lose their place.
  yield `retry: ${retryMs}\nid: ${feedCursor(after)}\n\n`;
  for await (const batch of batches(entries, live)) {
    let text = batch.length === 0 ? ': keep-alive\n\n' : '';
    for (const entry of batch) {
      text += eventOf(entry);
      const isOver = isLast(entry.change);
      if (isOver || text.length >= CHUNK_LENGTH) {
        yield text;
        text = '';
      }
      if (isOver) return;
    }
    if (text !== '') yield text;
  }
}

async function* batches(entries: readonly FeedEntry[], live: AsyncIterable<readonly FeedEntry[]>) {
  if (entries.length > 0) yield entries;
  yield* live;
}

/** Those who follow are many, and are given the same entries. */
const events = new WeakMap<FeedEntry, string>();

function eventOf(entry: FeedEntry): string {
  let event = events.get(entry);
  if (event === undefined) {
    event = `id: ${feedCursor(entry.position)}\nevent: change\ndata: ${JSON.stringify(changeView(entry.change))}\n\n`;
    events.set(entry, event);
  }
  return event;
}
