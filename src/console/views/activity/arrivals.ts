import { useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useCallback, useEffect, useRef } from 'preact/hooks';
import { isLive, type LiveChange, onChange } from '../../data/live.ts';
import type { Pages } from '../../data/load.ts';
import { type HistoryQuery, matches } from './filters.ts';

/** How long changes are gathered before they are shown together, in milliseconds: an import makes thousands a second. */
const GATHER_MS = 120;

/** How many are so many that nobody can read them as they come, and how long they are gathered then: the page must stay quick to use. */
const MANY = 20;
const GATHER_MANY_MS = 1_000;

/** The most changes that wait, and the most that a list has before it begins anew. */
const MAX_WAITING = 200;
const MAX_LISTED = 300;

/** How far down a page is still at its top, in pixels. */
const TOP_PX = 80;

/** The changes that arrive while the history is read. */
export interface Arrivals {
  /** How many wait until the reader wants to see them. */
  readonly waiting: number;
  /** Whether there are more than that. */
  readonly isCapped: boolean;
  /** How many the filters hide. */
  readonly hidden: number;
  /** The ids of those that arrived last. */
  readonly shown: ReadonlySet<number>;
  readonly isPaused: boolean;
  readonly pause: () => void;
  /** Shows what waits, and what comes from now on. */
  readonly resume: () => void;
}

/**
 * Puts the changes that arrive into a list that is loaded page by page, newest first. They wait while the reader has paused them, has
 * scrolled down or goes through the list with the keyboard, so that nothing moves that is being read.
 */
export function useArrivals(
  pages: Pages<LiveChange>,
  {
    key,
    query,
    newest,
    list,
  }: {
    /** Another list has another key. */
    key: string;
    query: HistoryQuery;
    /** Reads the newest changes of the list, for those that were made while there was no stream. */
    newest: (signal: AbortSignal) => Promise<readonly LiveChange[]>;
    list: RefObject<HTMLElement | null>;
  },
): Arrivals {
  const isPaused = useSignal(false);
  const waiting = useSignal<readonly LiveChange[]>([]);
  const hidden = useSignal(0);
  const shown = useSignal<ReadonlySet<number>>(new Set());
  const state = useRef({ pages, query, newest });
  state.current = { pages, query, newest };

  // Whether more changes have been missed than were read: then the list begins anew.
  const isGapped = useRef(false);
  const inbox = useRef<LiveChange[]>([]);
  /** How many have arrived that the filters hide, since they were counted last. */
  const passed = useRef(0);
  const timer = useRef<ReturnType<typeof setTimeout>>(null);
  const gatherMs = useRef(GATHER_MS);

  const show = useCallback(
    (changes: readonly LiveChange[]) => {
      const { pages } = state.current;
      shown.value = new Set(changes.map(({ id }) => id));
      if (isGapped.current || changes.length > MAX_WAITING || pages.items.length > MAX_LISTED) {
        isGapped.current = false;
        pages.reload();
      } else pages.edit((items) => merged(changes, items));
    },
    [shown],
  );
  const take = useCallback(() => {
    timer.current = null;
    const { pages } = state.current;
    hidden.value += passed.current;
    passed.current = 0;
    // The page that is under way may be older than what has arrived, and replaces what is there.
    if (pages.isLoading) return;
    const known = new Set([...pages.items, ...waiting.peek()].map(({ id }) => id));
    const fresh = inbox.current.filter(({ id }) => !known.has(id));
    inbox.current = [];
    gatherMs.current = fresh.length > MANY ? GATHER_MANY_MS : GATHER_MS;
    if (fresh.length === 0) return;
    const all = merged(fresh, waiting.peek()).slice(0, MAX_WAITING + 1);
    const mayMove = !isPaused.peek() && scrollY < TOP_PX && !list.current?.querySelector(':focus-visible');
    waiting.value = mayMove ? [] : all;
    if (mayMove) show(all);
  }, [waiting, hidden, isPaused, list, show]);
  const receive = useCallback(
    (changes: readonly LiveChange[]) => {
      const { query } = state.current;
      const fitting = changes.filter((change) => matches(change, query));
      passed.current += changes.length - fitting.length;
      if (inbox.current.length <= MAX_WAITING) inbox.current.push(...fitting);
      else isGapped.current ||= fitting.length > 0;
      timer.current ??= setTimeout(take, gatherMs.current);
    },
    [take],
  );

  useEffect(() => {
    waiting.value = [];
    hidden.value = 0;
    shown.value = new Set();
    inbox.current = [];
    passed.current = 0;
    isGapped.current = false;
    const end = onChange((change) => receive([change]));
    return () => {
      end();
      clearTimeout(timer.current ?? undefined);
      timer.current = null;
    };
  }, [key, receive, waiting, hidden, shown]);

  // What has arrived while a page was under way.
  const { isLoading } = pages;
  useEffect(() => {
    if (!isLoading && timer.current === null && inbox.current.length > 0) take();
  }, [isLoading, take]);

  // What was made while there was no stream.
  const isOpen = isLive.value;
  useEffect(() => {
    if (!isOpen) return;
    const controller = new AbortController();
    const { pages, newest } = state.current;
    newest(controller.signal).then(
      (changes) => {
        if (controller.signal.aborted) return;
        const known = new Set(pages.items.map(({ id }) => id));
        isGapped.current ||= known.size > 0 && changes.length > 0 && !changes.some(({ id }) => known.has(id));
        receive(changes);
      },
      // The list itself says what fails.
      () => undefined,
    );
    return () => controller.abort();
  }, [isOpen, key, receive]);

  return {
    waiting: Math.min(waiting.value.length, MAX_WAITING),
    isCapped: waiting.value.length > MAX_WAITING,
    hidden: hidden.value,
    shown: shown.value,
    isPaused: isPaused.value,
    pause: useCallback(() => {
      isPaused.value = true;
    }, [isPaused]),
    resume: useCallback(() => {
      isPaused.value = false;
      const all = waiting.peek();
      waiting.value = [];
      scrollTo({ top: 0 });
      if (all.length > 0) show(all);
    }, [isPaused, waiting, show]),
  };
}

/** Both lists as one, newest first, each change once. */
function merged(changes: readonly LiveChange[], items: readonly LiveChange[]): readonly LiveChange[] {
  const known = new Set(items.map(({ id }) => id));
  const fresh = changes.filter(({ id }) => !known.has(id));
  return [...fresh, ...items].sort((a, b) => (a.at === b.at ? b.id - a.id : a.at < b.at ? 1 : -1));
}
