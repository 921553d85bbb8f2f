import { useEffect, useRef } from 'preact/hooks';
import type { IconName } from '../parts/icons.tsx';

/** Something to do, or somewhere to go, by the palette. */
export interface Command {
  readonly icon: IconName;
  readonly label: string;
  /** What tells it apart, as an email does. */
  readonly soft?: string;
  readonly run: () => void;
}

/** The commands of each component on the screen, as it was drawn last. */
const sources = new Set<{ readonly current: readonly Command[] }>();

/** Offers commands in the palette while a component is on the screen: what its buttons do, by the same code. */
export function useCommands(own: readonly Command[]): void {
  const latest = useRef(own);
  latest.current = own;
  useEffect(() => {
    sources.add(latest);
    return () => void sources.delete(latest);
  }, []);
}

/** The commands of what is on the screen. */
export function commandsHere(): readonly Command[] {
  return [...sources].flatMap(({ current }) => current);
}
