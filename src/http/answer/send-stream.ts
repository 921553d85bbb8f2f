import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { Refusal } from '../../domain/refusal.ts';
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
  if (ctx.method === 'HEAD') {
    stream.destroy();
    return;
  }
  const over = new AbortController();
  const { signal } = over;
  signal.addEventListener('abort', () => stream.destroy());
  stream.on('error', (error) => over.abort(error));
  const stopWatching = watchCaller(ctx, limits, (reason) => over.abort(reason));
  try {
    await firstPiece(stream);
    signal.throwIfAborted();
    await pump(ctx, stream, signal);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    stopWatching();
    if (!stream.closed) await once(stream.destroy(), 'close').catch(() => undefined);
  }
}

/** Not a pipeline: it waits for the close of an answer, and one behind another on its connection never has one. */
async function pump(ctx: RequestContext, stream: Readable, signal: AbortSignal): Promise<void> {
  const { req, res, state } = ctx;
  state.streamedBytes = 0;
  // Koa would end an answer whose stream failed without an error that reaches the log.
  ctx.respond = false;
  try {
    for await (const part of inParts(stream)) {
      signal.throwIfAborted();
      state.streamedBytes += part.length;
      if (!res.write(part)) await once(res, 'drain', { signal });
    }
    signal.throwIfAborted();
    res.end();
    if (!res.writableFinished) await once(res, 'finish', { signal });
  } catch (error) {
    req.socket.destroy();
    throw error;
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

/** Calls `end` when the caller has hung up, or reads too slowly. Returns the end of the watch. */
function watchCaller(
  { req: { socket }, res }: RequestContext,
  limits: ReadingLimits | undefined,
  end: (reason: Refusal) => void,
): () => void {
  const onClose = () => end(refusals.callerGone());
  if (socket.destroyed) onClose();
  // A client may send any number of requests at once.
  else socket.setMaxListeners(0).once('close', onClose);
  const stopLimits = limits && watchReader(socket, res, limits, end);
  return () => {
    socket.off('close', onClose);
    stopLimits?.();
  };
}

function watchReader(
  socket: Socket,
  res: ServerResponse,
  { minRate, answerPatienceMs, timeoutMs }: ReadingLimits,
  end: (reason: Refusal) => void,
): () => void {
  return watchPace(
    { bytesPerSecond: minRate, patienceMs: answerPatienceMs, timeoutMs },
    // Of the connection, because an answer may wait behind an earlier one that is not read.
    () => ({ bytes: socket.bytesWritten - socket.writableLength, isWaiting: res.writableLength > 0 }),
    {
      onTooSlow: () => end(refusals.answerTooSlow()),
      onTooLong: () => end(refusals.answerTooLong(timeoutMs)),
    },
  );
}
