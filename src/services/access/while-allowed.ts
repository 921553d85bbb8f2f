import { Readable } from 'node:stream';
import { lossOfRight } from '../../store/right-check.ts';
import type { Unit } from '../../store/unit.ts';

/** How long the check of a reader's right holds, in milliseconds. */
export const RECHECK_MS = 10_000;

/**
 * Passes batches on until the author of the unit loses its right, which it checks with the first batch after `everyMs`
 * milliseconds, even an empty one: the revocation of a service token is no change of an account, so the feed itself does not tell.
 */
export async function* whileAllowed<Item>(
  unit: Unit,
  batches: AsyncIterable<readonly Item[]>,
  everyMs: number,
): AsyncGenerator<readonly Item[]> {
  let checkedAt = performance.now();
  for await (const batch of batches) {
    if (performance.now() - checkedAt >= everyMs) {
      if (await lossOfRight(unit)) return;
      checkedAt = performance.now();
    }
    yield batch;
  }
}

/**
 * A stream of pieces of which a part must not pass for the whole: it fails with the refusal when the author of the unit loses its right,
 * which is checked every `everyMs` milliseconds, however slowly the pieces are taken. It begins when the first one is asked for.
 */
export function wholeWhileAllowed(unit: Unit, pieces: AsyncIterable<string>, everyMs: number): Readable {
  // Strings as they are, and one ready while the reader is busy.
  const stream = Readable.from(watched(), { objectMode: true, highWaterMark: 1 });
  async function* watched() {
    let isChecking = false;
    const timer = setInterval(async () => {
      if (isChecking) return;
      isChecking = true;
      const loss = await lossOfRight(unit);
      isChecking = false;
      if (loss) stream.destroy(loss);
    }, everyMs);
    try {
      yield* pieces;
    } finally {
      clearInterval(timer);
    }
  }
  return stream;
}
