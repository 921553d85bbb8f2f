import type { Replicas } from '../../store/replicas/replicas.ts';
import type { Middleware } from '../context.ts';
import { BOOKMARK, bookmarkOf } from '../request/bookmark.ts';
import { callerOf } from '../request/caller.ts';

/**
 * Answers a write, or a reader of the feed, with a bookmark, and remembers it for the reads of the caller in this process: a read
 * replica serves them once it has all that the caller knows. A write that has changed nothing has one too, because its answer shows
 * what the primary has.
 */
export const bookmark = (replicas: Replicas): Middleware =>
  async function bookmark(ctx, next) {
    const { unit } = ctx.state;
    if (!unit.dryRun) {
      const noted = await replicas.noteAnswer(callerOf(ctx.state), unit.logEnd);
      // The write is committed: its answer must say so, also without a bookmark.
      if (noted !== undefined) ctx.set(BOOKMARK, bookmarkOf(noted));
    }
    return next();
  };
