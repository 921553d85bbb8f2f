import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { type LocationHook, useLocation } from 'preact-iso/router';

/** A list as it was when it was left. */
interface Left<Kept> {
  readonly kept: Kept;
  /** How far the page was scrolled, in pixels. */
  readonly scrollY: number;
  /** The item that had the focus. */
  readonly focused: string | undefined;
}

/** The lists that were left last, by their names. */
const left = new Map<string, Left<unknown>>();

/** The list to which a link leads back. */
let wanted: string | undefined;

/** Has a link lead back to a list as it was left, as the browser's button does. */
export function wantBack(name: string): void {
  wanted = name;
}

/**
 * Keeps what `leave` returns when a list is left, and gives it to the list where the browser's back button or a link back leads to it
 * again: there it is at the same place. `undefined` anywhere else.
 */
export function useWayBack<Kept>(name: string, leave: () => Kept): Kept | undefined {
  const { wasPush } = useLocation() as LocationHook & {
    /** Whether a link led here; left out of the package's types. */
    readonly wasPush: boolean;
  };
  const before = useMemo(() => {
    const found = left.get(name) as Left<Kept> | undefined;
    left.delete(name);
    const isBack = !wasPush || wanted === name;
    wanted = undefined;
    return isBack ? found : undefined;
  }, []);
  const latest = useRef(leave);
  latest.current = leave;
  useLayoutEffect(() => {
    // After the router, which shows the beginning of what a link leads to.
    if (before !== undefined) {
      queueMicrotask(() => scrollTo(0, before.scrollY));
      // Once the rows at this place are drawn.
      requestAnimationFrame(() => requestAnimationFrame(() => focusOn(before.focused)));
    }
    let { scrollY } = window;
    const look = () => {
      scrollY = window.scrollY;
    };
    addEventListener('scroll', look, { passive: true });
    return () => {
      removeEventListener('scroll', look);
      const focused = document.activeElement?.closest<HTMLElement>('[data-id]')?.dataset['id'];
      left.set(name, { kept: latest.current(), scrollY, focused });
    };
  }, []);
  return before?.kept;
}

/** Gives an item the focus, for those who go on with the keyboard, unless something else has it by now. */
function focusOn(id: string | undefined): void {
  const { activeElement } = document;
  const isFree = activeElement === document.body || activeElement?.id === 'view';
  if (id !== undefined && isFree)
    document.querySelector<HTMLElement>(`[data-id="${id}"] a`)?.focus({ preventScroll: true });
}
