import { type Signal, useSignal } from '@preact/signals';
import { useCallback, useLayoutEffect, useRef } from 'preact/hooks';

/** What has been loaded so far. */
export interface Loaded<T> {
  /** The last result; it stays while another one is loaded. */
  readonly data: T | undefined;
  readonly error: unknown;
  readonly isLoading: boolean;
  /** Loads it again. */
  readonly reload: () => void;
  /** Replaces the result by what is known without loading. */
  readonly replace: (data: T) => void;
}

interface State<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly isLoading: boolean;
}

/** Loads when a component appears and whenever `key` changes; what is under way is given up then. */
export function useLoaded<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const state: Signal<State<T>> = useSignal<State<T>>({ isLoading: true });
  const round = useSignal(0);
  const again = useRef(false);
  // Before the next paint: the answer is on its way while the browser draws.
  useLayoutEffect(() => {
    const { signal, abort } = aborter();
    state.value = { ...state.peek(), isLoading: true };
    const settle = (next: State<T>) => {
      if (signal.aborted) return;
      state.value = next;
      if (again.current) round.value++;
      again.current = false;
    };
    load(signal).then(
      (data) => settle({ data, isLoading: false }),
      (error: unknown) => settle({ ...state.peek(), error, isLoading: false }),
    );
    return abort;
  }, [key, round.value]);
  const reload = useCallback(() => {
    const { data, isLoading } = state.peek();
    // The first answer is shown as soon as it is there, and only then asked for again.
    if (isLoading && data === undefined) again.current = true;
    else round.value++;
  }, [round, state]);
  const replace = useCallback(
    (data: T) => {
      state.value = { data, isLoading: false };
    },
    [state],
  );
  const { data, error, isLoading } = state.value;
  return { data, error, isLoading, reload, replace };
}

function aborter(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

/** A page of a list. */
export interface PageOf<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

/** The pages of a list that have been loaded so far. */
export interface Pages<Item> {
  readonly items: readonly Item[];
  readonly isLoading: boolean;
  /** Whether there are none: known once the first page is there. */
  readonly isEmpty: boolean;
  readonly hasMore: boolean;
  readonly error: unknown;
  /** Loads the next page, unless one is under way or there is none. */
  readonly more: () => void;
  readonly reload: () => void;
  /** Changes what has been loaded, as after a change of one item. */
  readonly edit: (change: (items: readonly Item[]) => readonly Item[]) => void;
}

interface PagesState<Item> {
  readonly key: string;
  readonly items: readonly Item[];
  /** `undefined` before the first page. */
  readonly cursor: string | null | undefined;
  readonly isLoading: boolean;
  readonly error?: unknown;
}

/** Loads a list page by page, and begins again whenever `key` changes. */
export function usePages<Item>(
  key: string,
  load: (cursor: string | undefined, signal: AbortSignal) => Promise<PageOf<Item>>,
): Pages<Item> {
  const state = useSignal<PagesState<Item>>({ key, items: [], cursor: undefined, isLoading: true });
  const running = useSignal<AbortController | undefined>(undefined);
  const again = useRef(false);
  const next = useCallback(
    async (isFirst: boolean) => {
      const before = state.peek();
      if (!isFirst && (before.isLoading || before.cursor === null)) return;
      running.peek()?.abort();
      const controller = new AbortController();
      running.value = controller;
      // The old rows stay until the new ones are there, so that nothing jumps.
      state.value = { ...before, key, isLoading: true, error: undefined };
      try {
        const page = await load(isFirst ? undefined : (before.cursor ?? undefined), controller.signal);
        if (controller.signal.aborted) return;
        const items = isFirst ? page.items : [...state.peek().items, ...page.items];
        state.value = { key, items, cursor: page.nextCursor, isLoading: false };
      } catch (error) {
        if (!controller.signal.aborted) state.value = { ...state.peek(), isLoading: false, error };
      }
      if (controller.signal.aborted || !again.current) return;
      again.current = false;
      next(true);
    },
    [key],
  );
  useLayoutEffect(() => {
    next(true);
    return () => running.peek()?.abort();
  }, [next]);
  const { items, cursor, isLoading, error } = state.value;
  return {
    items,
    isLoading,
    isEmpty: cursor === null && items.length === 0 && !isLoading,
    hasMore: cursor !== null,
    error,
    more: useCallback(() => void next(false), [next]),
    reload: useCallback(() => {
      // As above.
      if (state.peek().isLoading && state.peek().cursor === undefined) again.current = true;
      else next(true);
    }, [next, state]),
    edit: useCallback(
      (change) => {
        state.value = { ...state.peek(), items: change(state.peek().items) };
      },
      [state],
    ),
  };
}
