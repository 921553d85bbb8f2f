/** How often a pace is checked, at most, in milliseconds. */
const MAX_TICK_MS = 1_000;

/** The slowest pace that a client may have. */
export interface PaceLimit {
  readonly bytesPerSecond: number;
  /** How long a client that moves nothing at all is waited for, in milliseconds. */
  readonly patienceMs: number;
  /** How long it may take in all, in milliseconds. */
  readonly timeoutMs: number;
}

/** What to do about a client; at most one of them is called. */
export interface PaceEvents {
  onTooSlow(): void;
  onTooLong(): void;
}

/** What has moved so far, and whether we wait for the client to move more. */
export interface Progress {
  readonly bytes: number;
  readonly isWaiting: boolean;
}

/**
 * Watches the pace of a client: time passes while we wait for it, and what it moves buys time, up to `patienceMs`. A client that
 * runs out of time is too slow; one that has not finished after `timeoutMs` takes too long. Returns the end of the watch.
 */
export function watchPace(
  { bytesPerSecond, patienceMs, timeoutMs }: PaceLimit,
  progress: () => Progress,
  { onTooSlow, onTooLong }: PaceEvents,
): () => void {
  const stop = () => {
    clearInterval(timer);
    clearTimeout(deadline);
  };
  const deadline = setTimeout(() => {
    stop();
    onTooLong();
  }, timeoutMs);
  const tickMs = Math.min(MAX_TICK_MS, patienceMs / 4);
  let leftMs = patienceMs;
  let moved = progress().bytes;
  let checkedAt = performance.now();
  const timer = setInterval(() => {
    const { bytes, isWaiting } = progress();
    const now = performance.now();
    // A process that was busy must not blame its clients for the time.
    const passedMs = isWaiting ? Math.min(now - checkedAt, 2 * tickMs) : 0;
    const boughtMs = ((bytes - moved) / bytesPerSecond) * 1000;
    leftMs = Math.min(patienceMs, leftMs + boughtMs - passedMs);
    moved = bytes;
    checkedAt = now;
    if (leftMs > 0) return;
    stop();
    onTooSlow();
  }, tickMs);
  return stop;
}
