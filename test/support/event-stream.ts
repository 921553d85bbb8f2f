import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { TestApp } from './app.ts';

/** An event stream as a client has it, who takes all at once. */
export interface EventStream {
  readonly response: Response;
  /** The ids that have been given so far, with and without an event. */
  readonly ids: string[];
  readonly comments: string[];
  /** What it has said how long to wait before coming again, in milliseconds. */
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
  const events: EventSourceMessage[] = [];
  let wake: () => void = () => undefined;
  const parser = createParser({
    onId: (id) => ids.push(id),
    onComment: (comment) => comments.push(comment),
    onRetry: (retry) => retries.push(retry),
    onEvent: (event) => events.push(event),
  });
  const take = async () => {
    for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      parser.feed(text);
      wake();
    }
  };
  let isOver = false;
  const taking = take().finally(() => {
    isOver = true;
    wake();
  });
  taking.catch(() => undefined);
  return {
    response,
    ids,
    comments,
    retries,
    async next() {
      while (events.length === 0 && !isOver) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (events.length === 0) await taking;
      return events.shift();
    },
    close: () => hangUp.abort(),
  };
}
