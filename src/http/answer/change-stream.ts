import { Readable } from 'node:stream';
import type { Change } from '../../domain/change.ts';
import { refusals } from '../../domain/refusals.ts';
import { changeView } from '../../services/history/view.ts';
import type { FeedEntry, FeedPosition } from '../../store/feed-position.ts';
import { feedCursor } from './feed-cursor.ts';

/** How long a client that lost the stream waits before it reconnects, in milliseconds: not all at once. */
const MIN_RETRY_MS = 1_000;
const MAX_RETRY_MS = 3_000;

/** The most characters of one write. */
const CHUNK_LENGTH = 2 ** 16;

/** What an event stream is made of. */
export interface ChangeStreamSource {
  /** The position that the stream begins after. */
  readonly after: FeedPosition;
  /** The entries that exist already. */
  readonly entries: readonly FeedEntry[];
  /** Later entries; an empty batch asks for a keep-alive comment. */
  readonly live: AsyncIterable<readonly FeedEntry[]>;
  /** Whether this change is the last one that the caller may see. */
  readonly isLast: (change: Change) => boolean;
  /** How long the caller may take to read a chunk, in milliseconds. */
  readonly stallMs: number;
}

/**
 * The feed as server-sent events (WHATWG HTML, section 9.2): each change is an event whose id is its cursor, and comments keep
 * the connection alive. The caller sets the pace, so that at most a page is in memory; a caller that does not read a chunk in
 * time is cut off.
 */
export function changeStream({ stallMs, ...source }: ChangeStreamSource): Readable {
  const stream = Readable.from(timed(), { objectMode: true, highWaterMark: 1 });
  async function* timed(): AsyncGenerator<string> {
    for await (const text of textOf(source)) {
      const stalled = setTimeout(() => {
        stream.destroy(refusals.callerTooSlow());
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
  // With an id: a client that loses the stream before the first event must not lose its position.
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

/** Serialized events: many followers are given the same entries. */
const events = new WeakMap<FeedEntry, string>();

function eventOf(entry: FeedEntry): string {
  let event = events.get(entry);
  if (event === undefined) {
    event = `id: ${feedCursor(entry.position)}\nevent: change\ndata: ${JSON.stringify(changeView(entry.change))}\n\n`;
    events.set(entry, event);
  }
  return event;
}
