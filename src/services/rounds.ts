import { setTimeout as delay } from 'node:timers/promises';

/** Pauses, in milliseconds, plus up to half as much each: replicas keep apart. */
export interface RoundPauses {
  /** Before the first round. */
  readonly firstMs: number;
  /** After the first round with a failure. It doubles with each further one, up to that between rounds. */
  readonly retryMs: number;
  readonly roundMs: number;
}

/** One of the jobs of a round. It stops where `signal` aborts. */
export type Job = (signal: AbortSignal) => Promise<void>;

/** A job that has failed, and when it is tried again. */
export interface FailedJob {
  readonly part: string;
  readonly err: unknown;
  readonly retryAt: Date;
}

/**
 * Does jobs, by their names, in rounds. A failure of one of them does not hold up the others; it is reported, and retried later and
 * later. Returns how to stop it, which resolves when no round is running. It does not keep the process alive.
 */
export function startRounds(
  jobs: Readonly<Record<string, Job>>,
  pauses: RoundPauses,
  onFailure: (failed: FailedJob) => void,
): () => Promise<void> {
  const controller = new AbortController();
  const rounds = runRounds(jobs, pauses, onFailure, controller.signal);
  return () => {
    controller.abort();
    return rounds;
  };
}

async function runRounds(
  jobs: Readonly<Record<string, Job>>,
  { firstMs, retryMs, roundMs }: RoundPauses,
  onFailure: (failed: FailedJob) => void,
  signal: AbortSignal,
): Promise<void> {
  const pause = (ms: number) => delay(ms, undefined, { ref: false, signal }).catch(() => undefined);
  await pause(apart(firstMs));
  for (let failedRounds = 0; !signal.aborted; ) {
    const failures: { part: string; err: unknown }[] = [];
    for (const [part, job] of Object.entries(jobs)) {
      if (!signal.aborted) await job(signal).catch((err: unknown) => failures.push({ part, err }));
    }
    if (signal.aborted) return;
    failedRounds = failures.length > 0 ? failedRounds + 1 : 0;
    const ms = apart(failedRounds > 0 ? Math.min(roundMs, retryMs * 2 ** (failedRounds - 1)) : roundMs);
    const retryAt = new Date(Date.now() + ms);
    for (const failure of failures) onFailure({ ...failure, retryAt });
    await pause(ms);
  }
}

function apart(ms: number): number {
  return ms * (1 + Math.random() / 2);
}
