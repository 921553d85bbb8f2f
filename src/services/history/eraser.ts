import type { Logger } from 'pino';
import { pruneAnswers } from '../../store/kept-answers.ts';
import type { UnitOfWork } from '../../store/unit.ts';
import { pruneSessions } from '../access/console-sessions.ts';
import { pruneRefused, type RefusedSignInCounter } from '../access/refused-sign-ins.ts';
import { type Job, type RoundPauses, startRounds } from '../rounds.ts';
import { eraseDue } from './erasure.ts';

const PAUSES: RoundPauses = { firstMs: 4_000, retryMs: 60_000, roundMs: 3_600_000 };

/** What the eraser needs. */
export interface EraserDeps {
  readonly inUnit: UnitOfWork;
  readonly refusedSignIns: RefusedSignInCounter;
  readonly log: Logger;
  /** For how many days a deleted account can be restored. */
  readonly eraseAfterDays: number;
  /** Default: four seconds, a minute, an hour. */
  readonly pauses?: RoundPauses;
}

/**
 * Erases what is due, deleted accounts, old refused sign-ins, old kept answers and sessions that have ended: soon after the start, and
 * then about once an hour. A failure of one of them does not hold up the others. It is logged, and retried after a minute at first, later and later.
 * Returns how to stop it, which resolves when no round is running. It does not keep the process alive.
 */
export function startEraser(deps: EraserDeps): () => Promise<void> {
  const { log, pauses = PAUSES } = deps;
  return startRounds(jobsOf(deps), pauses, (failure) =>
    log.warn(failure, 'erasure failed; retrying at retryAt; if it fails again, mend what err says'),
  );
}

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
