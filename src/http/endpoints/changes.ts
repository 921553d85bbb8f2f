import { Readable } from 'node:stream';
import { z } from 'zod';
import type { Change } from '../../domain/change.ts';
import { refusals } from '../../domain/refusals.ts';
import type { User } from '../../domain/user.ts';
import { RECHECK_MS, whileAllowed } from '../../services/access/while-allowed.ts';
import type { ChangeFeed, FollowOptions } from '../../services/feed/change-feed.ts';
import { openFeed } from '../../services/feed/open-feed.ts';
import { changeView } from '../../services/history/view.ts';
import { changeStream, type SharedChunks } from '../answer/change-stream.ts';
import { feedCursor, feedStart } from '../answer/feed-cursor.ts';
import { until } from '../answer/until.ts';
import { endpoint } from '../endpoint.ts';
import { CHANGE_EXAMPLES, change } from '../schemas/change.ts';
import { wholeNumber } from '../schemas/whole-number.ts';
import type { Lifecycle } from '../server/lifecycle.ts';

/** What the change feed's endpoint needs. */
export interface ChangesDeps {
  readonly feed: ChangeFeed;
  readonly lifecycle: Lifecycle;
  /** Overrides of {@link STREAM_TIMES}. */
  readonly streamTimes?: Partial<StreamTimes>;
}

/** The times of an event stream, in milliseconds. */
export interface StreamTimes {
  /** The silence after which a keep-alive comment is sent. */
  readonly keepAliveMs: number;
  /** How long a caller may take to read a chunk. */
  readonly stallMs: number;
  /** How long a stream lasts at most: a caller that reconnects is authorized again. */
  readonly lifetimeMs: number;
  /** How long the check of the caller's right holds, of an export too. A silent stream is checked at a keep-alive. */
  readonly recheckMs: number;
}

const STREAM_TIMES: StreamTimes = {
  keepAliveMs: 15_000,
  stallMs: 30_000,
  lifetimeMs: 300_000,
  recheckMs: RECHECK_MS,
};

const EVENT_STREAM = 'text/event-stream';
const TYPES = ['application/json', EVENT_STREAM];

const STREAM_HEADERS = {
  'Content-Type': EVENT_STREAM,
  // Neither stored nor compressed on the way: a compressor waits until it has enough.
  'Cache-Control': 'no-store, no-transform',
  // nginx would buffer it too.
  'X-Accel-Buffering': 'no',
  // After the stream, the connection must not hold up a process that drains.
  Connection: 'close',
};

/** The most changes of a stream in memory. */
const STREAM_PAGE = 100;

/** The fields that decide whose an account is, and what it may do. */
const RIGHTS = ['email', 'role', 'status'] as const;

const query = z.strictObject({
  after: z.string().optional().meta({
    minLength: 1,
    description:
      'A cursor of the feed: changes after it. `now`: changes from now on. Default: all changes from the beginning.',
  }),
  limit: wholeNumber({ min: 1, max: 1_000, default: 100, description: 'The most changes on a page.' }),
  wait: wholeNumber({
    min: 0,
    max: 30,
    default: 0,
    description: 'How many seconds to hold back an empty page until a change arrives.',
  }),
});

const CURSOR_EXAMPLE = '812-7-3f9c2a7be1d0-24117248';

const cursor = z.string().meta({ description: 'Its position, for `after`.', examples: [CURSOR_EXAMPLE] });

const entry = z
  .strictObject({ ...change.shape, cursor })
  .meta({ id: 'FeedEntry', examples: [{ ...CHANGE_EXAMPLES.updated, cursor: CURSOR_EXAMPLE }] });

const page = z
  .strictObject({
    items: z.array(entry),
    nextCursor: z.string().meta({
      description: 'For `after` in the next request, even when this page is empty.',
      examples: [CURSOR_EXAMPLE],
    }),
  })
  .meta({ id: 'FeedPage' });

/** The change feed (admins). */
export function changesEndpoints({ feed, lifecycle, streamTimes }: ChangesDeps) {
  const { keepAliveMs, stallMs, lifetimeMs, recheckMs } = { ...STREAM_TIMES, ...streamTimes };
  const chunks: SharedChunks = new WeakMap();
  return [
    endpoint({
      method: 'GET',
      path: '/v1/changes',
      access: 'admin',
      scope: 'changes:read',
      summary: 'Read the change feed',
      description:
        'For keeping another system in step. Start without `after` for everything or with `now`, act on each page, store its `nextCursor`, and continue there.',
      query,
      answer: {
        status: 200,
        description:
          'Every change, once, in order: a page, or an event stream that does not end, in which each change is an event `change` whose id is its cursor. An event `outdated` ends it, with a problem, when the database may have lost changes that it sent.',
        type: TYPES,
        schema: page,
        headers: { Vary: 'Varies by `Accept`.' },
      },
      refusals: [refusals.badCursor, refusals.cursorOutdated, refusals.notAcceptable],
      obeysLastEventId: true,
      showsFeed: true,
      async handle({ unit, query, accept, closed, standAside, lastEventId, actor }) {
        const isStream = accept(TYPES) === EVENT_STREAM;
        const limit = isStream ? STREAM_PAGE : query.limit;
        const { after, entries } = await openFeed(
          unit.em,
          feedStart((isStream && lastEventId) || query.after),
          limit,
        );
        const position = entries.at(-1)?.position ?? after;
        const follow = (ms: number, beat: Pick<FollowOptions, 'beatMs'> = {}) =>
          feed.follow(position, { limit, signal: until(ms, closed, lifecycle.draining), ...beat });
        if (isStream) {
          // Streams that began together must not all end together.
          const live = follow(lifetimeMs * (1 - Math.random() / 5), { beatMs: keepAliveMs });
          const isLast = (change: Change) => mayRevoke(actor, change);
          return changeStream({
            after,
            entries,
            live: whileAllowed(unit, live, recheckMs),
            isLast,
            requestId: unit.author.requestId ?? '',
            stallMs,
            chunks,
          });
        }
        if (entries.length > 0 || query.wait === 0) return { after, entries };
        const live = follow(query.wait * 1_000);
        try {
          const { value: later = [] } = await standAside(() => live.next());
          return { after, entries: later };
        } finally {
          await live.return(undefined);
        }
      },
      view: (outcome) => {
        if (outcome instanceof Readable) return outcome;
        const { after, entries } = outcome;
        return {
          items: entries.map(({ position, change }) => ({
            ...changeView(change),
            cursor: feedCursor(position),
          })),
          nextCursor: feedCursor(entries.at(-1)?.position ?? after),
        };
      },
      headers: (outcome): Record<string, string> => ({
        Vary: 'Accept',
        ...(outcome instanceof Readable && STREAM_HEADERS),
      }),
    }),
  ];
}

/** Whether a change may have revoked the caller's right to see more: a new request is authorized again. */
function mayRevoke(actor: User | undefined, { userId, action, after }: Change): boolean {
  if (userId !== actor?.id || action === 'created') return false;
  return action === 'deleted' || RIGHTS.some((field) => after !== null && field in after);
}
