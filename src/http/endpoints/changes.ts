import { Readable } from 'node:stream';
import { z } from 'zod';
import type { Change } from '../../domain/change.ts';
import type { User } from '../../domain/user.ts';
import type { ChangeFeed, FollowOptions } from '../../services/feed/change-feed.ts';
import { feedCursor, openFeed } from '../../store/feed-page.ts';
import { changeStream } from '../answer/change-stream.ts';
import { until } from '../answer/until.ts';
import { changeView } from '../answer/views.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';
import { change } from '../schemas/change.ts';
import { wholeNumber } from '../schemas/whole-number.ts';
import type { Lifecycle } from '../server/lifecycle.ts';

/** What the change feed's endpoint needs to know of the world. */
export interface ChangesDeps {
  readonly feed: ChangeFeed;
  readonly lifecycle: Lifecycle;
  /** What of {@link STREAM_TIMES} is to be otherwise. */
  readonly streamTimes?: Partial<StreamTimes>;
}

/** The times of an event stream, in milliseconds. */
export interface StreamTimes {
  /** After how long a silence it gives a sign of life. */
  readonly keepAliveMs: number;
  /** How long a caller may take to take a part of it. */
  readonly stallMs: number;
  /** How long it lasts at the most: who comes again for the rest must still have a token, and an account, that may. */
  readonly lifetimeMs: number;
}

const STREAM_TIMES: StreamTimes = { keepAliveMs: 15_000, stallMs: 30_000, lifetimeMs: 300_000 };

const EVENT_STREAM = 'text/event-stream';
const TYPES = ['application/json', EVENT_STREAM];

const STREAM_HEADERS = {
  'Content-Type': EVENT_STREAM,
  // Neither kept nor packed on its way: what is packed does not come before there is enough of it.
  'Cache-Control': 'no-store, no-transform',
  // nginx would collect it, too.
  'X-Accel-Buffering': 'no',
  // When the stream is over, nothing else is to hold up a process that drains.
  Connection: 'close',
};

/** How many changes a stream has in memory at the most. */
const STREAM_PAGE = 100;

/** What decides who an account belongs to, and what they may do. */
const RIGHTS = ['email', 'role', 'status'] as const;

const query = z.strictObject({
  after: z.string().optional().meta({
    description:
      'A cursor of the feed: what comes after it. `now`: what comes from now on. Without, all from the beginning.',
  }),
  limit: wholeNumber({ min: 1, max: 1_000, default: 100, description: 'The most changes on a page.' }),
  wait: wholeNumber({
    min: 0,
    max: 30,
    default: 0,
    description: 'How many seconds an empty page may be held back, until there is something on it.',
  }),
});

const cursor = z.string().meta({ description: 'Its place: what to ask `after`.', examples: ['812-7'] });

const page = z.strictObject({
  items: z.array(z.strictObject({ ...change.shape, cursor }).meta({ id: 'FeedEntry' })),
  nextCursor: z
    .string()
    .meta({ description: 'What to ask `after` for the next page, also when this one is empty.' }),
});

/** The change feed, for admins. */
export function changesEndpoints({ feed, lifecycle, streamTimes }: ChangesDeps): Endpoint[] {
  const { keepAliveMs, stallMs, lifetimeMs } = { ...STREAM_TIMES, ...streamTimes };
  return [
    endpoint({
      method: 'GET',
      path: '/v1/changes',
      access: 'admin',
      scope: 'changes:read',
      summary: 'Every change, once, in order',
      query,
      answer: {
        status: 200,
        description:
          'A page of the changes; or, as an event stream, each as an event `change` whose id is its cursor, as they come, without an end but with interruptions.',
        type: TYPES,
        schema: page,
        headers: { Vary: 'It goes by `Accept`.' },
      },
      refusals: ['bad_cursor', 'not_acceptable'],
      heedsLastEventId: true,
      async handle({ em, query, accept, closed, lastEventId, actor }) {
        const isStream = accept(TYPES) === EVENT_STREAM;
        const limit = isStream ? STREAM_PAGE : query.limit;
        const { after, entries } = await openFeed(em, (isStream && lastEventId) || query.after, limit);
        const position = entries.at(-1)?.position ?? after;
        const follow = (ms: number, beat: Pick<FollowOptions, 'beatMs'> = {}) =>
          feed.follow(position, { limit, signal: until(ms, closed, lifecycle.draining), ...beat });
        if (isStream) {
          // Not all that began at the same time are to end at the same time.
          const live = follow(lifetimeMs * (1 - Math.random() / 5), { beatMs: keepAliveMs });
          const isLast = (change: Change) => mayDisbar(actor, change);
          return changeStream({ after, entries, live, isLast, stallMs });
        }
        if (entries.length > 0 || query.wait === 0) return { after, entries };
        const live = follow(query.wait * 1_000);
        const { value: later = [] } = await live.next();
        await live.return(undefined);
        return { after, entries: later };
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

/** Whether a change may have taken the right to see more from an account: it has to ask anew, and is told then. */
function mayDisbar(actor: User | undefined, { userId, action, after }: Change): boolean {
  if (userId !== actor?.id || action === 'created') return false;
  return action === 'deleted' || RIGHTS.some((field) => after !== null && field in after);
}
