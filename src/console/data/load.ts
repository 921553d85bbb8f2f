import { type Signal, useSignal } from '@preact/signals';
import { useCallback, useLayoutEffect, useRef } from 'preact/hooks';

/** What has been loaded so far. */
export interface Loaded<T> {
  /** The last result; it stays while another one is loaded. */
  readonly data: T | undefined;
  readonly error: unknown;
  readonly isLoading: boolean;
  /** Loads it again, at once. */
  readonly reload: () => void;
  /** Loads it again once what is under way is there: changes may come faster than answers. */
  readonly refresh: () => void;
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
    again.current = false;
    state.value = { ...state.peek(), isLoading: true };
    const settle = (next: State<T>) => {
      if (signal.aborted) return;
      state.value = next;
      if (again.current) round.value++;
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
  const refresh = useCallback(() => {
    if (state.peek().isLoading) again.current = true;
    else round.value++;
  }, [round, state]);
  const replace = useCallback(
    (data: T) => {
      state.value = { data, isLoading: false };
    },
    [state],
  );
  const { data, error, isLoading } = state.value;
  return { data, error, isLoading, reload, refresh, replace };
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
  /** Begins anew with the first page, at once. */
  readonly reload: () => void;
  /** Loads the first page again once what is under way is there, and keeps those behind it where they still follow. */
  readonly refresh: () => void;
  /** Changes what has been loaded, as after a change of one item. */
  readonly edit: (change: (items: readonly Item[]) => readonly Item[]) => void;
  /** Loads page by page until there are `most` items, or no more, or another list is shown. Throws what a page fails with. */
  readonly loadAll: (most: number) => Promise<readonly Item[]>;
  /** What is loaded now, for the way back to it. */
  readonly keep: () => PagesState<Item>;
}

/** The pages of a list as they can be kept. */
export interface PagesState<Item> {
  /** The key of the list that the items are of. */
  readonly key: string;
  readonly items: readonly Item[];
  /** `undefined` before the first page. */
  readonly cursor: string | null | undefined;
  readonly isLoading: boolean;
  readonly error?: unknown;
}

/** Which page is loaded: the next one, the first one in place of all, or the first one with those behind it. */
type Part = 'next' | 'first' | 'fresh';

/** Loads a list page by page, and begins again whenever `key` changes, or where the way back led to what `kept` has. */
export function usePages<Item>(
  key: string,
  load: (cursor: string | undefined, signal: AbortSignal) => Promise<PageOf<Item>>,
  kept?: PagesState<Item>,
): Pages<Item> {
  const state = useSignal<PagesState<Item>>(kept ?? { key, items: [], cursor: undefined, isLoading: true });
  const running = useSignal<AbortController | undefined>(undefined);
  const again = useRef<Part>(undefined);
  const underway = useRef<Promise<void>>(undefined);
  const next = useCallback(
    async (asked: Part) => {
      const before = state.peek();
      if (asked === 'next' && (before.isLoading || before.cursor === null)) return;
      // Rows of another list are none of this one.
      const part = before.key === key ? asked : 'first';
      if (part !== 'next') again.current = undefined;
      running.peek()?.abort();
      const controller = new AbortController();
      running.value = controller;
      // The old rows stay until the new ones are there, so that nothing jumps.
      state.value = { ...before, isLoading: true, error: undefined };
      try {
        const page = await load(
          part === 'next' ? (before.cursor ?? undefined) : undefined,
          controller.signal,
        );
        if (controller.signal.aborted) return;
        const { items, cursor } = state.peek();
        state.value = { key, isLoading: false, ...joined(part, { items, nextCursor: cursor ?? null }, page) };
      } catch (error) {
        if (controller.signal.aborted) return;
        const { items, cursor } = state.peek();
        const own = before.key === key ? { items, cursor } : { items: [], cursor: undefined };
        state.value = { key, ...own, isLoading: false, error };
      }
      if (again.current) await next(again.current);
    },
    [key],
  );
  useLayoutEffect(() => {
    next('fresh');
    return () => running.peek()?.abort();
  }, [next]);
  const { items, cursor, isLoading, error } = state.value;
  return {
    items,
    isLoading,
    isEmpty: cursor === null && items.length === 0 && !isLoading,
    hasMore: cursor !== null,
    error,
    more: useCallback(() => {
      if (!state.peek().isLoading) underway.current = next('next');
    }, [next, state]),
    reload: useCallback(() => {
      // As above.
      if (state.peek().isLoading && state.peek().cursor === undefined) again.current = 'first';
      else next('first');
    }, [next, state]),
    refresh: useCallback(() => {
      if (state.peek().isLoading) again.current ??= 'fresh';
      else next('fresh');
    }, [next, state]),
    edit: useCallback(
      (change) => {
        state.value = { ...state.peek(), items: change(state.peek().items) };
      },
      [state],
    ),
    loadAll: useCallback(
      async (most) => {
        await underway.current;
        for (let before = -1; before < state.peek().items.length; ) {
          const { items, cursor } = state.peek();
          if (cursor === null || items.length >= most) break;
          before = items.length;
          underway.current = next('next');
          await underway.current;
          if (state.peek().error !== undefined) throw state.peek().error;
        }
        return state.peek().items;
      },
      [next, state],
    ),
    keep: useCallback(() => ({ ...state.peek(), isLoading: false }), [state]),
  };
}

/** What is loaded of a list, with one page more. */
function joined<Item>(part: Part, { items, nextCursor }: PageOf<Item>, page: PageOf<Item>) {
  const first = { items: page.items, cursor: page.nextCursor };
  if (part === 'first') return first;
  if (part === 'next') {
    const known = new Set(items.map(idOf));
    // What has moved in the order meanwhile may come twice.
    const added = page.items.filter((item) => !known.has(idOf(item)));
    return { items: [...items, ...added], cursor: page.nextCursor };
  }
  const places = new Map(items.map((item, place) => [idOf(item), place]));
  const last = page.items.findLast((item) => places.has(idOf(item)));
  const behind = last === undefined ? items.length : (places.get(idOf(last)) as number) + 1;
  const fresh = new Set(page.items.map(idOf));
  const rest = items.slice(behind).filter((item) => !fresh.has(idOf(item)));
  return rest.length === 0 ? first : { items: [...page.items, ...rest], cursor: nextCursor };
}

/** What makes an item the same in two answers. */
function idOf(item: unknown): unknown {
  return (item as { readonly id?: number }).id ?? item;
}
