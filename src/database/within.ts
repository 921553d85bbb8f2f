/** Waits for `answer`, at most `ms` milliseconds. Throws what `late` returns. */
export async function within<T>(ms: number, answer: Promise<T>, late: () => Error): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  // The event loop may be late itself: what has arrived by then is read first.
  const timer = setTimeout(() => setImmediate(() => reject(late())), ms);
  try {
    return await Promise.race([answer, promise]);
  } finally {
    clearTimeout(timer);
  }
}
