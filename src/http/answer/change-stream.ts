import { Readable } from 'node:stream';
import type { Change } from '../../domain/change.ts';
import { Refusal } from '../../domain/refusal.ts';
import { refusals } from '../../domain/refusals.ts';
import { changeView } from '../../services/history/view.ts';
import type { FeedEntry, FeedPosition } from '../../store/feed-position.ts';
import { feedCursor } from './feed-cursor.ts';
import { problemOf } from './problem.ts';

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
  /** Names the request in the event that ends an outdated stream. */
  readonly requestId: string;
  /** How long the caller may take to read a chunk, in milliseconds. */
  readonly stallMs: number;
  /** The chunks of all streams. */
  readonly chunks: SharedChunks;
}

/** A part of a stream: the events from one entry to another. */
interface Chunk {
  readonly last: FeedEntry;
  readonly bytes: Buffer;
}

/**
 * The chunks of streams by their first entry: many followers are given the same entries, and all of them the same bytes. They
 * are gone with their entries, so that nothing that is erased from the history lives on here.
 */
export type SharedChunks = WeakMap<FeedEntry, Chunk>;

/**
 * The feed as server-sent events (WHATWG HTML, section 9.2): each change is an event whose id is its cursor, and comments keep
 * the connection alive. The caller sets the pace, so that at most a page is in memory; a caller that does not read a chunk in
 * time is cut off. Where the live entries cannot go on after what was sent, the last event is `outdated`, with the problem.
 */
export function changeStream({ stallMs, ...source }: ChangeStreamSource): Readable {
  const stream = Readable.from(timed(), { objectMode: true, highWaterMark: 1 });
  async function* timed(): AsyncGenerator<string | Buffer> {
    for await (const part of partsOf(source)) {
      const stalled = setTimeout(() => {
        stream.destroy(refusals.callerTooSlow());
      }, stallMs);
      try {
        yield part;
      } finally {
        clearTimeout(stalled);
      }
    }
  }
  return stream;
}

async function* partsOf(source: Omit<ChangeStreamSource, 'stallMs'>) {
  try {
    yield* eventsOf(source);
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== refusals.cursorOutdated.code) throw error;
    // Without an id: when it comes back with the last one, the caller is refused for the same reason.
    yield `event: outdated\ndata: ${JSON.stringify(problemOf(error, source.requestId))}\n\n`;
  }
}

async function* eventsOf({ after, entries, live, isLast, chunks }: Omit<ChangeStreamSource, 'stallMs'>) {
  const retryMs = MIN_RETRY_MS + Math.floor(Math.random() * (MAX_RETRY_MS - MIN_RETRY_MS));
  // With an id: a client that loses the stream before the first event must not lose its position.
  yield `retry: ${retryMs}\nid: ${feedCursor(after)}\n\n`;
  for await (const batch of batches(entries, live)) {
    if (batch.length === 0) yield ': keep-alive\n\n';
    const last = batch.findIndex(({ change }) => isLast(change));
    yield* chunksOf(last === -1 ? batch : batch.slice(0, last + 1), chunks);
    if (last !== -1) return;
  }
}

async function* batches(entries: readonly FeedEntry[], live: AsyncIterable<readonly FeedEntry[]>) {
  if (entries.length > 0) yield entries;
  yield* live;
}

const UTF8 = new TextEncoder();

function* chunksOf(entries: readonly FeedEntry[], known: SharedChunks): Generator<Buffer> {
  for (let at = 0; at < entries.length; ) {
    const first = entries[at] as FeedEntry;
    const chunk = known.get(first);
    const end = chunk === undefined ? -1 : entries.indexOf(chunk.last, at);
    if (chunk !== undefined && end !== -1) {
      yield chunk.bytes;
      at = end + 1;
      continue;
    }
    let text = '';
    while (at < entries.length && text.length < CHUNK_LENGTH) text += eventOf(entries[at++] as FeedEntry);
    // Memory of its own: a small buffer would keep all of the 64 KiB from which Node cuts those.
    const bytes = Buffer.from(UTF8.encode(text).buffer);
    known.set(first, { last: entries[at - 1] as FeedEntry, bytes });
    yield bytes;
  }
}

function eventOf({ position, change }: FeedEntry): string {
  return `id: ${feedCursor(position)}\nevent: change\ndata: ${JSON.stringify(changeView(change))}\n\n`;
}
