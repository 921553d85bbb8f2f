import { type EventSourceMessage, EventSourceParserStream } from 'eventsource-parser/stream';
import type { TestApp } from './app.ts';

/** An event stream as a client has it. */
export interface EventStream {
  readonly response: Response;
  /** The ids that have been given so far, with and without an event. */
  readonly ids: string[];
  readonly comments: string[];
  /** What it says how long to wait before coming again, in milliseconds. */
  readonly retries: number[];
  /** The next event; `undefined` at the end. Rejects where the stream breaks off. */
  next(): Promise<EventSourceMessage | undefined>;
  /** Hangs up. */
  close(): void;
}

/** Asks for an event stream, and resolves once its head has come. */
export async function openStream(
  app: Pick<TestApp, 'call'>,
  path: string,
  { as, lastEventId }: { as: string; lastEventId?: string },
): Promise<EventStream> {
  const hangUp = new AbortController();
  const headers = {
    Accept: 'text/event-stream',
    ...(lastEventId !== undefined && { 'Last-Event-ID': lastEventId }),
  };
  const response = await app.call(path, { as, headers, signal: hangUp.signal });
  const [ids, comments, retries]: [string[], string[], number[]] = [[], [], []];
  const events = response.body
    ?.pipeThrough(new TextDecoderStream())
    .pipeThrough(
      new EventSourceParserStream({
        onId: (id) => ids.push(id),
        onComment: (comment) => comments.push(comment),
        onRetry: (retry) => retries.push(retry),
      }),
    )
    .getReader();
  return {
    response,
    ids,
    comments,
    retries,
    next: async () => (await events?.read())?.value,
    close: () => hangUp.abort(),
  };
}
