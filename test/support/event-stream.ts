import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { TestApp } from './app.ts';

/** An event stream on the side of a client that reads everything at once. */
export interface EventStream {
  readonly response: Response;
  /** The ids received so far, with and without an event. */
  readonly ids: string[];
  readonly comments: string[];
  /** The reconnection times received so far, in milliseconds. */
  readonly retries: number[];
  /** The next event, or `undefined` at the end. Rejects when the stream breaks off. */
  next(): Promise<EventSourceMessage | undefined>;
  /** Closes the connection. */
  close(): void;
}

/** Requests an event stream, and resolves with it when its headers have arrived. */
export async function openStream(
  app: Pick<TestApp, 'call'>,
  path: string,
  { as, lastEventId }: { as: string; lastEventId?: string },
): Promise<EventStream> {
  const controller = new AbortController();
  const headers = {
    Accept: 'text/event-stream',
    ...(lastEventId !== undefined && { 'Last-Event-ID': lastEventId }),
  };
  const response = await app.call(path, { as, headers, signal: controller.signal });
  const [ids, comments, retries]: [string[], string[], number[]] = [[], [], []];
  const events: EventSourceMessage[] = [];
  let wake: () => void = () => undefined;
  const parser = createParser({
    onId: (id) => ids.push(id),
    onComment: (comment) => comments.push(comment),
    onRetry: (retry) => retries.push(retry),
    onEvent: (event) => events.push(event),
  });
  const readAll = async () => {
    for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      parser.feed(text);
      wake();
    }
  };
  let hasEnded = false;
  const reading = readAll().finally(() => {
    hasEnded = true;
    wake();
  });
  reading.catch(() => undefined);
  return {
    response,
    ids,
    comments,
    retries,
    async next() {
      while (events.length === 0 && !hasEnded) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (events.length === 0) await reading;
      return events.shift();
    },
    close: () => controller.abort(),
  };
}
