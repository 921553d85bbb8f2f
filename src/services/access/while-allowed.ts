import { hasRight } from '../../store/right-check.ts';
import type { Unit } from '../../store/unit.ts';

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
      if (!(await hasRight(unit))) return;
      checkedAt = performance.now();
    }
    yield batch;
  }
}
