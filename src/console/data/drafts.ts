import { signal } from '@preact/signals';
import { useLayoutEffect } from 'preact/hooks';
import { useLocation } from 'preact-iso/router';

/** Somebody who is about to leave what they have not saved. */
interface Asked {
  /** Lets them go, or keeps them here. */
  readonly answer: (mayLeave: boolean) => void;
}

/** Whether the reader is being asked about unsaved work. */
export const askedToLeave = signal<Asked | undefined>(undefined);

/** The unsaved work on the screen: one entry for each form with some. */
const drafts = new Set<object>();

/** Where it is: the address that was left is put back until the reader has decided. */
let draftUrl = '';

/** Says that a form has unsaved work, while it is on the screen: whoever leaves is asked then. */
export function useDraft(isUnsaved: boolean): void {
  const { url } = useLocation();
  useLayoutEffect(() => {
    if (!isUnsaved) return;
    const draft = {};
    drafts.add(draft);
    watch();
    return () => {
      drafts.delete(draft);
      watch();
    };
    // Again for each address of the view, which is the one to come back to.
  }, [isUnsaved, url]);
}

/** Forgets the unsaved work: the reader leaves it. */
export function dropDrafts(): void {
  drafts.clear();
  watch();
}

/** Whether the reader may leave the view: asks where unsaved work would be lost. */
export function mayLeave(): Promise<boolean> {
  if (drafts.size === 0) return Promise.resolve(true);
  askedToLeave.peek()?.answer(false);
  return new Promise((resolve) => {
    askedToLeave.value = {
      answer(mayLeave) {
        askedToLeave.value = undefined;
        resolve(mayLeave);
      },
    };
  });
}

/** Leaves the view, unless the reader would rather stay. */
async function leave(go: () => void): Promise<void> {
  if (!(await mayLeave())) return;
  dropDrafts();
  // Once the question is gone, which gives the focus back.
  setTimeout(go);
}

/** Goes to an address of the console as a link does. */
export function useGo(): (url: string) => void {
  const { route } = useLocation();
  return (url) => void leave(() => route(url));
}

// Before the router, which is told later: it takes every link and every step in the history.
addEventListener('click', stayOnLink, true);
addEventListener('popstate', stayOnStep);

function watch(): void {
  draftUrl = location.href;
  // Browsers keep a page for the way back only where nothing listens to this.
  const change = drafts.size > 0 ? addEventListener : removeEventListener;
  change('beforeunload', stayOnUnload);
}

/** The tab is closed or loaded again: the browser asks in its own words. */
function stayOnUnload(event: Event): void {
  event.preventDefault();
}

function stayOnLink(event: MouseEvent): void {
  if (drafts.size === 0) return;
  const link = event.composedPath().find((one) => one instanceof HTMLAnchorElement && one.href !== '');
  const isPlain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.altKey || event.shiftKey);
  if (!isPlain || !(link instanceof HTMLAnchorElement)) return;
  if (link.target === '_blank' || link.hasAttribute('download') || !isElsewhere(link)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  leave(() => link.click());
}

function stayOnStep(event: Event): void {
  if (drafts.size === 0 || !isElsewhere(location)) return;
  event.stopImmediatePropagation();
  // The browser has taken the step. What was left becomes the next page, from which one step back is where the reader wanted to go.
  history.pushState(null, '', draftUrl);
  leave(() => history.back());
}

/** Whether an address shows something else than the one with the unsaved work: a view stays while its own state changes. */
function isElsewhere({ origin, pathname }: Pick<Location, 'origin' | 'pathname'>): boolean {
  const here = new URL(draftUrl);
  return origin !== here.origin || pathname !== here.pathname;
}
