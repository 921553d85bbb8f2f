import { useEffect, useRef } from 'preact/hooks';
import type { Pages } from '../data/load.ts';
import { texts } from '../texts.ts';
import { Failed } from './states.tsx';

/** The end of what is loaded of a list: the next page is loaded before the reader is there, or by the button. */
export function ListEnd({
  pages,
  more,
  end,
}: {
  pages: Pick<Pages<unknown>, 'items' | 'hasMore' | 'isLoading' | 'more'>;
  /** What the button says. */
  more: string;
  /** What is there at the end of all pages. */
  end?: string;
}) {
  const element = useRef<HTMLDivElement>(null);
  const { hasMore, isLoading, more: load, items } = pages;
  useEffect(() => {
    if (!hasMore || element.current === null) return;
    const observer = new IntersectionObserver(
      (entries) => {
        if (entries.some(({ isIntersecting }) => isIntersecting)) load();
      },
      { rootMargin: '800px' },
    );
    observer.observe(element.current);
    return () => observer.disconnect();
    // Again after each page: the end may still be in sight.
  }, [hasMore, load, items.length, isLoading]);
  return (
    <div ref={element} class="row list-end">
      {hasMore ? (
        <button type="button" class="button" disabled={isLoading} onClick={load}>
          {isLoading ? texts.states.loading : more}
        </button>
      ) : (
        end !== undefined && <p class="soft">{end}</p>
      )}
    </div>
  );
}

/** The end of a short list in a box: the button that loads the next page, and why the last one could not be loaded. */
export function BoxEnd({
  pages,
  more,
}: {
  pages: Pick<Pages<unknown>, 'items' | 'hasMore' | 'isLoading' | 'more' | 'error' | 'reload'>;
  /** What the button says. */
  more: string;
}) {
  const { items, hasMore, isLoading, error, more: load, reload } = pages;
  return (
    <>
      {error !== undefined && <Failed error={error} retry={items.length > 0 ? load : reload} />}
      {hasMore && items.length > 0 && (
        <p class="inside">
          <button type="button" class="button" disabled={isLoading} onClick={load}>
            {more}
          </button>
        </p>
      )}
    </>
  );
}
