import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { RequestContext } from '../context.ts';
import { DoorError } from './problem.ts';

/** How long a caller may take nothing of an answer, in milliseconds, before the connection is cut. */
const STALL_MS = 60_000;

/**
 * Answers with a stream, as fast as it is taken, and resolves when it is all sent. An error before its first bytes is
 * thrown while it can still be answered as one; after that the connection breaks, so that no half can pass for a whole.
 * The stream is destroyed at once when the caller hangs up.
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
  // Koa would end an answer whose stream has failed in a way that does not reach the log as an error.
  ctx.respond = false;
  ctx.res.setTimeout(STALL_MS);
  try {
    await pipeline(stream, ctx.res);
  } catch (error) {
    throw hungUp ? new DoorError('request_aborted', 'The caller hung up before the answer was sent.') : error;
  }
}
