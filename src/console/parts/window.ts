import { useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';

/** The rows of a long list to draw. */
export interface RowWindow {
  readonly first: number;
  /** After the last one. */
  readonly end: number;
}

/** How many rows are drawn above and below what can be seen. */
const BEYOND = 12;

/**
 * The rows that can be seen of a list in which every row has the same height, while the page scrolls: a list draws no more than
 * those, however long it is.
 */
export function useRowWindow(
  list: RefObject<HTMLElement | null>,
  { rows, rowHeight }: { rows: number; rowHeight: number },
): RowWindow {
  const seen = useSignal<RowWindow>({ first: 0, end: 40 });
  useLayoutEffect(() => {
    const look = () => {
      const top = list.current?.getBoundingClientRect().top ?? 0;
      const first = Math.max(0, Math.floor(-top / rowHeight) - BEYOND);
      const end = Math.ceil((window.innerHeight - top) / rowHeight) + BEYOND;
      const before = seen.peek();
      if (before.first !== first || before.end !== end) seen.value = { first, end };
    };
    look();
    addEventListener('scroll', look, { passive: true });
    addEventListener('resize', look, { passive: true });
    return () => {
      removeEventListener('scroll', look);
      removeEventListener('resize', look);
    };
  }, [list, rowHeight, seen]);
  return { first: Math.min(seen.value.first, rows), end: Math.min(seen.value.end, rows) };
}
