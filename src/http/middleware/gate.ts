/** Lets a few through at once and makes others wait, in their order, up to a limit. */
export interface Gate {
  /** Waits for a place and returns how to leave it, at once and only once; `undefined` where too many wait already. */
  enter(): Promise<(() => void) | undefined>;
}

/** Creates a gate with this many places and places to wait. */
export function gate({ places, waiting }: { places: number; waiting: number }): Gate {
  const queue: (() => void)[] = [];
  let inside = 0;
  const leaving = () => {
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      const next = queue.shift();
      if (next === undefined) inside--;
      else next();
    };
  };
  return {
    async enter() {
      if (inside < places) inside++;
      else if (queue.length >= waiting) return undefined;
      else await new Promise<void>((resolve) => queue.push(resolve));
      return leaving();
    },
  };
}
