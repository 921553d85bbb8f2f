const works = new Set<() => Promise<unknown>>();

/**
 * Does this after each test, also after one that fails in between: the next one may share what it has left behind. Returns how to stop
 * doing so.
 */
export function afterEachTest(work: () => Promise<unknown>): () => void {
  works.add(work);
  return () => works.delete(work);
}

/** Does all of it. */
export async function tidyUp(): Promise<void> {
  await Promise.all([...works].map((work) => work()));
}
