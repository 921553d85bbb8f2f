import { refusals } from '../../domain/refusals.ts';
import type { Middleware } from '../context.ts';
import { callerOf } from '../request/caller.ts';
import type { TransferKind, Transfers } from '../transfers/limits.ts';

/** What a refused caller is told to wait, in seconds: a transfer takes some. */
const RETRY_AFTER = '5';

/**
 * Takes a place among the transfers of this kind, once for all replays of the unit of work, before anything is read. Throws
 * `too_many_transfers` and `transfers_busy`. {@link leaveTransfer} leaves the place.
 */
export const enterTransfer = ({ places }: Transfers, kind: TransferKind): Middleware =>
  function enterTransfer(ctx, next) {
    const { state } = ctx;
    if (state.leave === undefined) {
      const entered = places[kind].enter(callerOf(state));
      if (typeof entered === 'string') ctx.set('Retry-After', RETRY_AFTER);
      if (entered === 'caller') throw refusals.tooManyTransfers();
      if (entered === 'all') throw refusals.transfersBusy();
      state.leave = entered;
    }
    return next();
  };

/** Ends a transfer, however it ends: frees its file, and its place. */
export const leaveTransfer = (): Middleware =>
  async function leaveTransfer(ctx, next) {
    const { state } = ctx;
    try {
      await next();
    } finally {
      await state.upload?.close();
      state.leave?.();
    }
  };
