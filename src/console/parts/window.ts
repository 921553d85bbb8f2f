import { useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';

/** The rows of a long list to draw. */
export interface RowWindow {
  readonly first: number;
  /** After the last one. */
  readonly end: number;
  /** Whether these are all of them, because the page is being printed. */
  readonly isPrinted?: boolean;
}

/** How many rows are drawn above and below what can be seen, and how many there are at least, before others are drawn. */
const BEYOND = 12;
const LEAST = 6;

/**
 * The rows that can be seen of a list in which every row has the same height, while the page scrolls: a list draws no more than
 * those, however long it is.
 */
export function useRowWindow(
  list: RefObject<HTMLElement | null>,
  { rows, rowHeight }: { rows: number; rowHeight: number },
): RowWindow {
  // At first no more than fit on the screen, which are there sooner.
  const seen = useSignal<RowWindow>({ first: 0, end: Math.ceil(window.innerHeight / rowHeight) });
  useLayoutEffect(() => {
    const look = () => {
      const top = list.current?.getBoundingClientRect().top ?? 0;
      const first = Math.max(0, Math.floor(-top / rowHeight) - BEYOND);
      const end = Math.ceil((window.innerHeight - top) / rowHeight) + BEYOND;
      const before = seen.peek();
      const moved = Math.max(Math.abs(before.first - first), Math.abs(before.end - end));
      if (moved > BEYOND - LEAST) seen.value = { first, end };
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (scrollY > 0) look();
    // The others once these are painted.
    else
      requestAnimationFrame(() => {
        timer = setTimeout(look);
      });
    addEventListener('scroll', look, { passive: true });
    addEventListener('resize', look, { passive: true });
    // A page on paper has all of them.
    const drawAll = () => {
      seen.value = { first: 0, end: Number.POSITIVE_INFINITY, isPrinted: true };
    };
    addEventListener('beforeprint', drawAll);
    addEventListener('afterprint', look);
    return () => {
      clearTimeout(timer);
      removeEventListener('beforeprint', drawAll);
      removeEventListener('afterprint', look);
      removeEventListener('scroll', look);
      removeEventListener('resize', look);
    };
  }, [list, rowHeight, seen]);
  const { first, end, isPrinted = false } = seen.value;
  return { first: Math.min(first, rows), end: Math.min(end, rows), isPrinted };
}
