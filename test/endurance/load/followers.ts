import { setTimeout as pause } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { Agent, type Dispatcher, request } from 'undici';
import { nameOf } from '../audit/feed.ts';
import type { Client } from '../client.ts';
import { OBSERVER } from './people.ts';

/** How long a follower waits before it tries another replica, in milliseconds. */
const RETRY_MS = 300;

/** How long a poll is held back, in seconds. */
const WAIT_S = 5;

/** Somebody who reads the change feed from its beginning. */
export interface Follower {
  readonly name: string;
  /** All entries in the order of their arrival, each by {@link nameOf}. */
  readonly entries: string[];
  /** How often its cursor was refused, so that it has begun again. */
  readonly restarts: () => number;
  stop(): Promise<void>;
}

type Take = (entry: string | undefined, cursor: string) => void;

/** A turn: it reads on from the cursor, and hands over each entry with its cursor. Returns the status of the answer. */
type Turn = (cursor: string | undefined, take: Take) => Promise<number>;

/** Starts a follower of the event stream, which resumes by `Last-Event-ID`, and one that polls. */
export function startFollowers(client: Client): Follower[] {
  return [
    start('stream', (abort) => (cursor, take) => stream(client, abort, cursor, take)),
    start('poll', (abort) => (cursor, take) => poll(client, abort, cursor, take)),
  ];
}

function start(
  name: string,
  turnOf: (options: Pick<Dispatcher.RequestOptions, 'signal'> & { dispatcher: Agent }) => Turn,
): Follower {
  const entries: string[] = [];
  const abort = new AbortController();
  // A connection for each request: it leads to another replica.
  const dispatcher = new Agent({ pipelining: 0, connect: { timeout: 5_000 }, bodyTimeout: 60_000 });
  const turn = turnOf({ signal: abort.signal, dispatcher });
  let cursor: string | undefined;
  let restarts = 0;
  const follow = async () => {
    while (!abort.signal.aborted) {
      const status = await turn(cursor, (entry, next) => {
        if (entry !== undefined) entries.push(entry);
        cursor = next;
      }).catch(() => 0);
      if (status === 200) continue;
      if (status >= 400 && status < 500 && cursor !== undefined) {
        // As the documentation says: its owner starts over.
        entries.length = 0;
        cursor = undefined;
        restarts++;
      }
      await pause(RETRY_MS);
    }
  };
  const following = follow();
  return {
    name,
    entries,
    restarts: () => restarts,
    async stop() {
      abort.abort();
      await following;
      await dispatcher.destroy();
    },
  };
}

async function stream(client: Client, options: object, cursor: string | undefined, take: Take) {
  const response = await request(`${client.next()}/v1/changes`, {
    ...options,
    headers: {
      ...(await client.headersOf(OBSERVER)),
      Accept: 'text/event-stream',
      ...(cursor !== undefined && { 'Last-Event-ID': cursor }),
    },
  });
  // The id of a whole event: what broke off in its middle has not arrived.
  const parser = createParser({
    onEvent: ({ id, event, data }) => {
      if (event === 'change' && id !== undefined) take(nameOf(JSON.parse(data)), id);
    },
  });
  for await (const text of response.body.setEncoding('utf8'))
    if (response.statusCode === 200) parser.feed(text as string);
  return response.statusCode;
}

async function poll(client: Client, options: object, cursor: string | undefined, take: Take) {
  const query = new URLSearchParams({
    limit: '1000',
    wait: `${WAIT_S}`,
    ...(cursor !== undefined && { after: cursor }),
  });
  const response = await request(`${client.next()}/v1/changes?${query}`, {
    ...options,
    headers: await client.headersOf(OBSERVER),
  });
  const text = await response.body.text();
  if (response.statusCode !== 200) return response.statusCode;
  const { items, nextCursor } = JSON.parse(text) as {
    items: { id: number; requestId: string | null; cursor: string }[];
    nextCursor: string;
  };
  for (const item of items) take(nameOf(item), item.cursor);
  take(undefined, nextCursor);
  return 200;
}
