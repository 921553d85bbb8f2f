import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { pruneAnswers } from '../../store/kept-answers.ts';
import type { UnitOfWork } from '../../store/unit.ts';
import { pruneSessions } from '../access/console-sessions.ts';
import { pruneRefused, type RefusedSignInCounter } from '../access/refused-sign-ins.ts';
import { eraseDue } from './erasure.ts';

/** Pauses, in milliseconds, plus up to half as much each: replicas keep apart. */
export interface EraserPauses {
  /** Before the first round. */
  readonly firstMs: number;
  /** After the first round with a failure. It doubles with each further one, up to that between rounds. */
  readonly retryMs: number;
  readonly roundMs: number;
}

const PAUSES: EraserPauses = { firstMs: 4_000, retryMs: 60_000, roundMs: 3_600_000 };

/** What the eraser needs. */
export interface EraserDeps {
  readonly inUnit: UnitOfWork;
  readonly refusedSignIns: RefusedSignInCounter;
  readonly log: Logger;
  /** For how many days a deleted account can be restored. */
  readonly eraseAfterDays: number;
  /** Default: four seconds, a minute, an hour. */
  readonly pauses?: EraserPauses;
}

/**
 * Erases what is due, deleted accounts, old refused sign-ins, old kept answers and sessions that have ended: soon after the start, and
 * then about once an hour. A failure of one of them does not hold up the others. It is logged, and retried after a minute at first, later and later.
 * Returns how to stop it, which resolves when no round is running. It does not keep the process alive.
 */
export function startEraser(deps: EraserDeps): () => Promise<void> {
  const controller = new AbortController();
  const rounds = runRounds(deps, controller.signal);
  return () => {
    controller.abort();
    return rounds;
  };
}

async function runRounds(deps: EraserDeps, signal: AbortSignal): Promise<void> {
  const { log, pauses: { firstMs, retryMs, roundMs } = PAUSES } = deps;
  const jobs = Object.entries(jobsOf(deps));
  const pause = (ms: number) => delay(ms, undefined, { ref: false, signal }).catch(() => undefined);
  await pause(apart(firstMs));
  for (let failedRounds = 0; !signal.aborted; ) {
    const failures: { part: string; err: unknown }[] = [];
    for (const [part, job] of jobs) {
      if (!signal.aborted) await job(signal).catch((err: unknown) => failures.push({ part, err }));
    }
    if (signal.aborted) return;
    failedRounds = failures.length > 0 ? failedRounds + 1 : 0;
    const ms = apart(failedRounds > 0 ? Math.min(roundMs, retryMs * 2 ** (failedRounds - 1)) : roundMs);
    const retryAt = new Date(Date.now() + ms);
    for (const failure of failures) {
      log.warn(
        { ...failure, retryAt },
        'erasure failed; retrying at retryAt; if it fails again, mend what err says',
      );
    }
    await pause(ms);
  }
}

function apart(ms: number): number {
  return ms * (1 + Math.random() / 2);
}

type Job = (signal: AbortSignal) => Promise<void>;

/** What is erased, by the name that the log gives it. */
function jobsOf({ inUnit, refusedSignIns, log, eraseAfterDays }: EraserDeps): Record<string, Job> {
  return {
    async 'deleted accounts'(signal) {
      const accounts = await eraseDue(inUnit, eraseAfterDays, signal);
      if (accounts > 0) log.info({ accounts }, 'deleted accounts erased');
    },
    'refused sign-ins': () =>
      inUnit(async ({ em }) => {
        await refusedSignIns.flush(em);
        await pruneRefused(em);
      }),
    'console sessions': (signal) => inUnit(({ em }) => pruneSessions(em, signal)),
    'kept answers': (signal) => inUnit(({ em }) => pruneAnswers(em, signal)),
  };
}
