import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Answered } from '../../client/index.ts';
import { changes, noteRefusal, signIns } from './api.ts';

/** A change as the feed tells it. */
export type LiveChange = Answered<'GET /v1/history'>['items'][number];

/** Whether changes arrive as they happen. */
export const isLive = signal(false);

/** How often the stream has begun anew, which does not tell what happened before. One that is only opened again goes on where it was. */
const beginnings = signal(0);

/**
 * Calls `read` once the stream has begun anew: changes may have been missed. With `atFirst`, also once it has begun at all, for what was
 * loaded before. `read` must stay the same function.
 */
export function useMissed(read: () => void, atFirst = false): void {
  const count = beginnings.value;
  const seen = useRef(count);
  useEffect(() => {
    const { current } = seen;
    seen.current = count;
    if (current !== count && (atFirst || current > 0)) read();
  }, [count, read, atFirst]);
}

/** How often in a row the stream is opened in vain after the last change that was heard of, in one to four seconds. */
const RETRIES = 3;

/** How long it stays closed then, or where it was refused, in milliseconds. */
const RETRY_MS = 5_000;

const listeners = new Set<(change: LiveChange) => void>();
let stream: AbortController | undefined;

/** Calls `listener` for each change from now on, whoever makes it. Returns how to end it. One stream serves all listeners. */
export function onChange(listener: (change: LiveChange) => void): () => void {
  listeners.add(listener);
  stream ??= open();
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    stream?.abort();
    stream = undefined;
    isLive.value = false;
  };
}

/**
 * Calls `listener` with the changes from now on, as {@link onChange} does: with the first at once, and with those of the next `gatherMs`
 * milliseconds together, because an import makes thousands a second. Returns how to end it.
 */
export function onChanges(listener: (changes: readonly LiveChange[]) => void, gatherMs: number): () => void {
  let gathered: LiveChange[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const take = () => {
    timer = undefined;
    if (gathered.length === 0) return;
    const changes = gathered;
    gathered = [];
    timer = setTimeout(take, gatherMs);
    listener(changes);
  };
  const end = onChange((change) => {
    gathered.push(change);
    if (timer === undefined) take();
  });
  return () => {
    end();
    clearTimeout(timer);
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

function open(): AbortController {
  const opened = new AbortController();
  const { signal } = opened;
  let hasBegun = false;
  let before = signIns;
  const onState = (state: 'open' | 'lost') => {
    if (signal.aborted) return;
    isLive.value = state === 'open';
    if (state === 'open' && !hasBegun) beginnings.value++;
    hasBegun ||= state === 'open';
  };
  const follow = async () => {
    before = signIns;
    for await (const change of changes({ since: 'now', retries: RETRIES, signal, onState })) tell(change);
  };
  // A refusal, as while the service is overloaded or after the end of a session, passes. What was missed meanwhile, the views read again.
  const goOn = (error: unknown) => {
    if (signal.aborted) return;
    onState('lost');
    hasBegun = false;
    noteRefusal(error, before);
    setTimeout(() => {
      if (!signal.aborted) follow().catch(goOn);
    }, RETRY_MS);
  };
  follow().catch(goOn);
  return opened;
}
