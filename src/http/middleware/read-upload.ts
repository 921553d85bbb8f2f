import { refusals } from '../../domain/refusals.ts';
import { isCharset } from '../../services/transfer/formats/index.ts';
import type { Middleware } from '../context.ts';
import type { TransferLimits } from '../transfers/limits.ts';
import { receiveUpload } from '../transfers/upload-file.ts';

/** Receives the body, whatever its length up to the limit; it must have one of these media types. */
export const readUpload = (types: readonly string[], limits: TransferLimits): Middleware =>
  async function readUpload(ctx, next) {
    const type = ctx.is(...types);
    const charset = ctx.request.charset || 'utf-8';
    if (!type || ctx.get('Content-Encoding') !== '' || !isCharset(charset)) {
      throw refusals.unsupportedUpload(types);
    }
    // Once for all replays of the unit of work: a body cannot be received twice.
    if (ctx.state.upload === undefined) {
      const { req } = ctx;
      ctx.state.upload = { type, charset, ...(await receiveUpload(req, limits, () => req.socket.destroyed)) };
    }
    await next();
  };
