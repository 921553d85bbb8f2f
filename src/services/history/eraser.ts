import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { UnitOfWork } from '../../store/unit.ts';
import { pruneRefused, type RefusedSignInCounter } from '../access/refused-sign-ins.ts';
import { pruneAnswers } from '../idempotency/kept-answers.ts';
import { eraseDue } from './erasure.ts';

/** The pauses before the first round and between rounds, plus up to half as much: replicas keep apart. */
const FIRST_PAUSE_MS = 4_000;
const PAUSE_MS = 3_600_000;

/** What the eraser needs. */
export interface EraserDeps {
  readonly inUnit: UnitOfWork;
  readonly refusedSignIns: RefusedSignInCounter;
  readonly log: Logger;
  /** For how many days a deleted account can be restored. */
  readonly eraseAfterDays: number;
}

/**
 * Erases what is due, deleted accounts, old refused sign-ins and old kept answers: soon after the start, and then about once an hour. Failures
 * are logged and retried in the next round. Returns how to stop it, which resolves when no round is running. It does not keep
 * the process alive.
 */
export function startEraser(deps: EraserDeps): () => Promise<void> {
  const controller = new AbortController();
  const rounds = runRounds(deps, controller.signal);
  return () => {
    controller.abort();
    return rounds;
  };
}

async function runRounds(
  { inUnit, refusedSignIns, log, eraseAfterDays }: EraserDeps,
  signal: AbortSignal,
): Promise<void> {
  for (let pause = FIRST_PAUSE_MS; ; pause = PAUSE_MS) {
    try {
      await delay(pause * (1 + Math.random() / 2), undefined, { ref: false, signal });
      const accounts = await eraseDue(inUnit, eraseAfterDays, signal);
      if (accounts > 0) log.info({ accounts }, 'deleted accounts erased');
      await inUnit(
        async ({ em }) => {
          await refusedSignIns.flush(em);
          await pruneRefused(em);
          await pruneAnswers(em, signal);
        },
        { waitsForLocks: true },
      );
    } catch (error) {
      if (signal.aborted) return;
      log.warn(
        { err: error },
        'erasure failed; retrying in about an hour; if it fails again, mend what err says',
      );
    }
  }
}
