import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { refusals } from '../../domain/refusals.ts';
import type { RequestContext } from '../context.ts';

/** How long a caller may read nothing of an answer, in milliseconds, before the connection is cut. */
const STALL_MS = 60_000;

/**
 * Answers with a stream at the caller's pace, and resolves when all of it is sent. An error before the first bytes is thrown,
 * so that it can be answered; a later one breaks the connection, so that a part cannot pass for the whole. The stream is
 * destroyed at once when the caller hangs up.
 */
export async function sendStream(ctx: RequestContext, stream: Readable): Promise<void> {
  if (ctx.method === 'HEAD') {
    stream.destroy();
    return;
  }
  await once(stream, 'readable');
  let hungUp = ctx.res.destroyed;
  ctx.res.once('close', () => {
    hungUp ||= stream.errored === null;
  });
  // Koa would end an answer whose stream failed without an error that reaches the log.
  ctx.respond = false;
  ctx.res.setTimeout(STALL_MS);
  try {
    await pipeline(stream, ctx.res);
  } catch (error) {
    throw hungUp ? refusals.callerGone() : error;
  }
}
