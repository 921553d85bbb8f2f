import { signal } from '@preact/signals';
import type { Answered } from '../../client/client.ts';
import { BASE_PATH } from './place.ts';

/** A change as the feed tells it. */
export type LiveChange = Answered<'GET /v1/history'>['items'][number];

/** Whether changes arrive as they happen. */
export const isLive = signal(false);

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

function open(): EventSource {
  // The browser connects again by itself, and resumes after the last change.
  const opened = new EventSource(`${BASE_PATH}/v1/changes?after=now`);
  opened.onopen = () => {
    isLive.value = true;
  };
  opened.onerror = () => {
    isLive.value = false;
  };
  opened.addEventListener('change', ({ data }: MessageEvent<string>) => {
    const change = JSON.parse(data) as LiveChange;
    for (const listener of listeners) listener(change);
  });
  return opened;
}
