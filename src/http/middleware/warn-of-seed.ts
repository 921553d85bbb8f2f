import { lostSeeds, type Seeds } from '../../services/accounts/seed-warning.ts';
import type { Middleware } from '../context.ts';

/** A header of successful answers: something that the caller should know about what they did. */
const WARNING = 'Rollcall-Warning';

// Without an email: a header is ASCII.
const TEXT = 'INITIAL_ADMINS names this account: the next start makes it an active admin again';

/** Warns in the answer to a write that removes an admin of INITIAL_ADMINS: the next start makes it an admin again. */
export const warnOfSeed = (seeds: Seeds): Middleware =>
  async function warnOfSeed(ctx, next) {
    const { unit, log } = ctx.state;
    try {
      if ((await lostSeeds(unit, seeds)).length > 0) ctx.set(WARNING, TEXT);
    } catch (error) {
      // The write is committed: its answer must say so.
      log.warn(
        { err: error },
        'initial admins not compared after a write; if this repeats, check the database',
      );
    }
    return next();
  };
