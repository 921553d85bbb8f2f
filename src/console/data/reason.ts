import { signal } from '@preact/signals';

/** Somebody who waits for the reason of a write. */
interface Asked {
  /** Goes on with a reason, or gives the write up without one. */
  readonly answer: (reason: string | undefined) => void;
}

/** Whether the reader is being asked why. */
export const askedForReason = signal<Asked | undefined>(undefined);

/** What was said last: several writes often have one reason. */
export const lastReason = signal('');

let asking: Promise<string | undefined> | undefined;

/** Asks the reader why something is done; writes that ask at once get the same answer. Returns `undefined` where there is none. */
export function askReason(): Promise<string | undefined> {
  asking ??= new Promise((resolve) => {
    askedForReason.value = {
      answer(reason) {
        asking = undefined;
        askedForReason.value = undefined;
        if (reason !== undefined) lastReason.value = reason;
        resolve(reason);
      },
    };
  });
  return asking;
}
