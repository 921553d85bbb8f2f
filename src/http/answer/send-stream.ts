import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { refusals } from '../../domain/refusals.ts';
import type { RequestContext } from '../context.ts';
import type { TransferLimits } from '../transfers/limits.ts';
import { watchPace } from '../transfers/pace.ts';

/** The most bytes of one write: the socket tells when a write is done, not how far it is. */
const WRITE_BYTES = 64 * 1024;

/** The limits of a caller that reads an answer. */
export type ReadingLimits = Pick<TransferLimits, 'minRate' | 'answerPatienceMs' | 'timeoutMs'>;

/**
 * Answers with a stream at the caller's pace, and resolves when all of it is sent. An error before the first bytes is thrown,
 * so that it can be answered; a later one breaks the connection, so that a part cannot pass for the whole. With `limits`, so
 * does a caller that reads too slowly. When the caller hangs up, the stream is destroyed at once; in every case, what it reads
 * from has let go when the promise settles.
 */
export async function sendStream(
  ctx: RequestContext,
  stream: Readable,
  limits: ReadingLimits | undefined,
): Promise<void> {
  const { res } = ctx;
  if (ctx.method === 'HEAD') {
    stream.destroy();
    return;
  }
  let hungUp = false;
  const onClose = () => {
    hungUp ||= stream.errored === null;
    stream.destroy();
  };
  if (res.destroyed) onClose();
  else res.once('close', onClose);
  try {
    await firstPiece(stream);
    if (hungUp) throw refusals.callerGone();
    // Koa would end an answer whose stream failed without an error that reaches the log.
    ctx.respond = false;
    const stopWatching = limits && watchReader(ctx, stream, limits);
    try {
      await pipeline(stream, inParts, res);
    } finally {
      stopWatching?.();
    }
  } catch (error) {
    throw hungUp ? refusals.callerGone() : error;
  } finally {
    if (!stream.closed) await once(stream.destroy(), 'close').catch(() => undefined);
  }
}

/** Resolves when there is something to read, or nothing will be. Throws the stream's error. */
function firstPiece(stream: Readable): Promise<void> {
  return new Promise((resolve, reject) => {
    if (stream.closed) resolve();
    stream.once('readable', resolve).once('close', resolve).once('error', reject);
  });
}

async function* inParts(source: AsyncIterable<string | Buffer>): AsyncGenerator<Buffer> {
  for await (const piece of source) {
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
    for (let at = 0; at < bytes.length; at += WRITE_BYTES) yield bytes.subarray(at, at + WRITE_BYTES);
  }
}

/** Breaks the answer off when its reader is too slow. Returns the end of the watch. */
function watchReader(
  { res }: RequestContext,
  stream: Readable,
  { minRate, answerPatienceMs, timeoutMs }: ReadingLimits,
): () => void {
  const { socket } = res;
  const deadline = setTimeout(() => stream.destroy(refusals.answerTooLong(timeoutMs)), timeoutMs);
  const stop = watchPace(
    { bytesPerSecond: minRate, patienceMs: answerPatienceMs },
    () => {
      const left = socket?.writableLength ?? 0;
      return { bytes: (socket?.bytesWritten ?? 0) - left, isWaiting: left > 0 };
    },
    () => stream.destroy(refusals.answerTooSlow()),
  );
  return () => {
    clearTimeout(deadline);
    stop();
  };
}
