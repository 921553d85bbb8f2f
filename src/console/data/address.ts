import { useCallback } from 'preact/hooks';
import { useLocation } from 'preact-iso/router';

/** The state of a view, in the query of its address: a view can be shared, and the browser's back button goes through it. */
export function useAddress<Key extends string>(): {
  readonly state: Readonly<Partial<Record<Key, string>>>;
  /** Changes a part of it. `undefined` and the empty text remove a value. */
  readonly change: (values: Partial<Record<Key, string | undefined>>, isReplaced?: boolean) => void;
} {
  const { query, path, route } = useLocation();
  const change = useCallback(
    (values: Partial<Record<Key, string | undefined>>, isReplaced = false) => {
      const next = new URLSearchParams(location.search);
      for (const [key, value] of Object.entries(values) as [string, string | undefined][]) {
        if (value === undefined || value === '') next.delete(key);
        else next.set(key, value);
      }
      const text = next.toString();
      route(text === '' ? path : `${path}?${text}`, isReplaced);
    },
    [path, route],
  );
  return { state: query as Partial<Record<Key, string>>, change };
}

/** A query whose values are texts, as an address has them. */
export type Texts<Query> = { readonly [Name in keyof Query]: Extract<Query[Name], string | undefined> };
