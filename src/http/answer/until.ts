/**
 * A signal that aborts after `ms` milliseconds, or with the first of these signals. (`AbortSignal.any` leaks memory for each
 * call with a signal that lives as long as the process.)
 */
export function until(ms: number, ...signals: readonly AbortSignal[]): AbortSignal {
  const over = new AbortController();
  const end = () => over.abort();
  const timer = setTimeout(end, ms);
  over.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  for (const signal of signals) {
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true, signal: over.signal });
  }
  return over.signal;
}
