import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { UnitOfWork } from '../../store/unit.ts';
import { pruneRefused, type RefusalCounter } from '../access/refused-sign-ins.ts';
import { eraseDue } from './erasure.ts';

/** The pause before the first round, and that between two. Each may take half as long again: replicas keep apart. */
const FIRST_PAUSE_MS = 4_000;
const PAUSE_MS = 3_600_000;

/** What the eraser needs. */
export interface EraserDeps {
  readonly inUnit: UnitOfWork;
  readonly refusals: RefusalCounter;
  readonly log: Logger;
  /** How many days a deleted account can be restored. */
  readonly eraseAfterDays: number;
}

/**
 * Erases what is due, deleted accounts and sign-ins that were turned away long ago: soon after the start, and then every
 * hour or so. What fails is logged and done in the next round.
 * Returns how to end it: that resolves when nothing of it is under way any more. By itself it keeps no process alive.
 */
export function startEraser(deps: EraserDeps): () => Promise<void> {
  const controller = new AbortController();
  const rounds = goRound(deps, controller.signal);
  return () => {
    controller.abort();
    return rounds;
  };
}

async function goRound(
  { inUnit, refusals, log, eraseAfterDays }: EraserDeps,
  signal: AbortSignal,
): Promise<void> {
  for (let pause = FIRST_PAUSE_MS; ; pause = PAUSE_MS) {
    try {
      await delay(pause * (1 + Math.random() / 2), undefined, { ref: false, signal });
      const accounts = await eraseDue(inUnit, eraseAfterDays, signal);
      if (accounts > 0) log.info({ accounts }, 'deleted accounts erased');
      await inUnit(async ({ em }) => {
        await refusals.settle(em);
        await pruneRefused(em);
      });
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ err: error }, 'erasing what is due failed; trying again in an hour or so');
    }
  }
}
