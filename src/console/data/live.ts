import { signal } from '@preact/signals';
import type { Answered } from '../../client/index.ts';
import { BASE_PATH } from './place.ts';

/** A change as the feed tells it. */
export type LiveChange = Answered<'GET /v1/history'>['items'][number];

/** Whether changes arrive as they happen. Once they do again after a while, a view may have missed some. */
export const isLive = signal(false);

/** How long a stream that was refused stays closed, in milliseconds. */
const RETRY_MS = 5_000;

const listeners = new Set<(change: LiveChange) => void>();
let source: EventSource | undefined;

/** Calls `listener` for each change from now on, whoever makes it. Returns how to end it. One stream serves all listeners. */
export function onChange(listener: (change: LiveChange) => void): () => void {
  listeners.add(listener);
  source ??= open();
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    source?.close();
    source = undefined;
    isLive.value = false;
  };
}

/** The ids of the last changes that the listeners were told of. */
const told = new Set<number>();
const MAX_TOLD = 1_000;

/** Tells the listeners of a change of our own at once, also where no stream is open; they are told of each change once. */
export function tell(change: LiveChange): void {
  if (told.has(change.id)) return;
  told.add(change.id);
  if (told.size > MAX_TOLD) told.delete(told.values().next().value as number);
  for (const listener of listeners) listener(change);
}

function open(): EventSource {
  // The browser connects again by itself, and resumes after the last change.
  const opened = new EventSource(`${BASE_PATH}/v1/changes?after=now`);
  opened.onopen = () => {
    isLive.value = true;
  };
  opened.onerror = () => {
    isLive.value = false;
    // A refusal, as while the service is overloaded or after the end of a session, is final for the browser.
    if (opened.readyState === EventSource.CLOSED) {
      setTimeout(() => {
        if (source === opened) source = open();
      }, RETRY_MS);
    }
  };
  opened.addEventListener('change', ({ data }: MessageEvent<string>) => tell(JSON.parse(data) as LiveChange));
  return opened;
}
