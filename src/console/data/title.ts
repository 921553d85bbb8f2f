import { useEffect } from 'preact/hooks';
import { texts } from '../texts.ts';

/** Names the page in the browser's tabs and history, and to those who hear it. */
export function useTitle(name: string | undefined): void {
  useEffect(() => {
    document.title = name === undefined ? texts.product : `${name} · ${texts.product}`;
  }, [name]);
}
