import type { FeedEntry } from './client.ts';
import { Problem, Unreachable } from './problem.ts';
import { backoff, isPassing, pause } from './retry.ts';
import type { ProblemDetails } from './routes.ts';
import type { Send } from './send.ts';

/** How to follow the change feed. */
export interface ChangesOptions {
  /** The `cursor` of the last change that you know; `now`: what happens from now on. Default: everything from the beginning. */
  readonly since?: string;
  readonly signal?: AbortSignal;
  /** How often in a row to connect in vain before the error is thrown. Default: without end. */
  readonly retries?: number;
  /** Told when the stream is open, and when it is lost: until it is open again, changes arrive late. */
  readonly onState?: (state: 'open' | 'lost', error?: unknown) => void;
  /** After how long a silence a connection counts as lost, in milliseconds. Default: 45 s, three times the service's own. */
  readonly idleMs?: number;
}

const IDLE_MS = 45_000;

/** How long to wait before connecting again, where the stream has not said it. */
const RETRY_MS = 1_000;

/** One server-sent event. */
interface StreamEvent {
  id?: string;
  event?: string;
  data?: string;
  retry?: string;
}

/** Follows the change feed over an event stream, and connects again where that ends, after the last change that was taken. */
export async function* follow(
  send: Send,
  { since, signal, retries = Number.POSITIVE_INFINITY, onState, idleMs = IDLE_MS }: ChangesOptions = {},
): AsyncGenerator<FeedEntry, never, undefined> {
  let last: string | undefined;
  let retryMs = RETRY_MS;
  for (let failures = 0; ; ) {
    const connection = new AbortController();
    const request = {
      query: { after: since },
      headers: { Accept: 'text/event-stream', ...(last !== undefined && { 'Last-Event-ID': last }) },
      signal: signal ? AbortSignal.any([signal, connection.signal]) : connection.signal,
      retries: 0,
    };
    let lost: unknown;
    try {
      const answer = await send('GET /v1/changes', request);
      if (!(answer instanceof Response)) throw new Unreachable('Not an event stream.');
      const { body } = answer;
      onState?.('open');
      for await (const { id, event, data, retry } of eventsOf(body, idleMs)) {
        failures = 0;
        if (retry !== undefined) retryMs = Number(retry) || RETRY_MS;
        if (event === 'outdated') throw new Problem(JSON.parse(data ?? '') as ProblemDetails);
        if (event === 'change' && data !== undefined) {
          yield { ...JSON.parse(data), cursor: id } as FeedEntry;
        }
        // Only now: whoever throws or leaves here has not taken it.
        if (id !== undefined) last = id;
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (!isPassing(error) || failures >= retries) throw error;
      lost = error;
    } finally {
      connection.abort();
    }
    onState?.('lost', lost);
    const waitMs = lost === undefined ? retryMs : backoff(failures++, retryMs);
    await pause(Math.max(waitMs, (lost as Unreachable | undefined)?.retryAfterMs ?? 0), signal);
  }
}

/** The server-sent events in a body (WHATWG HTML, section 9.2.6). Throws {@link Unreachable} where it is cut off or falls silent. */
async function* eventsOf(
  body: ReadableStream<Uint8Array> | null,
  idleMs: number,
): AsyncGenerator<StreamEvent, void, undefined> {
  const reader = body?.getReader();
  const decoder = new TextDecoder();
  let text = '';
  let event: StreamEvent = {};
  for (;;) {
    const part = await within(idleMs, reader?.read()).catch((cause: unknown) => {
      throw new Unreachable('The stream was cut off.', { cause });
    });
    if (part === undefined || part.done) return;
    text += decoder.decode(part.value, { stream: true });
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    text = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        yield event;
        event = {};
        continue;
      }
      const [, name = '', value = ''] = /^(\w*):? ?(.*)$/s.exec(line) ?? [];
      if (name === 'data' && event.data !== undefined) event.data += `\n${value}`;
      else if (name === 'id' || name === 'event' || name === 'data' || name === 'retry') event[name] = value;
    }
  }
}

async function within<T>(ms: number, work: Promise<T> | undefined): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Nothing arrived within ${ms} ms.`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
