import { lostSeeds, type Seeds } from '../../services/accounts/seed-warning.ts';
import type { Middleware } from '../context.ts';

/** The header that tells about something which the caller should know, although the request succeeded. */
export const WARNING = 'Rollcall-Warning';

/** Its text, without an email: a header is ASCII. */
const TEXT = 'INITIAL_ADMINS names this account: the next start makes it an active admin again';

/** Warns in the answer to a write that takes away an admin whom the next start brings back. */
export const warnOfSeed = (seeds: Seeds): Middleware =>
  async function warnOfSeed(ctx, next) {
    const { unit, log } = ctx.state;
    try {
      if ((await lostSeeds(unit, seeds)).length > 0) ctx.set(WARNING, TEXT);
    } catch (error) {
      // The write is committed: its answer must say so.
      log.warn({ err: error }, 'initial admins could not be compared');
    }
    await next();
  };
