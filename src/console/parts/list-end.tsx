import { useEffect, useRef } from 'preact/hooks';
import { texts } from '../texts.ts';

/** The end of what is loaded of a list: the next page is loaded before the reader is there, or by the button. */
export function ListEnd({
  pages,
  more,
  end,
}: {
  pages: {
    readonly items: readonly unknown[];
    readonly hasMore: boolean;
    readonly isLoading: boolean;
    readonly more: () => void;
  };
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
