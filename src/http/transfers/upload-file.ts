import { randomUUID } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { refusals } from '../../domain/refusals.ts';
import type { TransferLimits } from './limits.ts';
import { watchPace } from './pace.ts';

/** How much is read at once, in bytes. */
const CHUNK_BYTES = 64 * 1024;

/** A body that has arrived, in a temporary file. */
export interface UploadFile {
  /** The bytes, from the start in each iteration. Throws `request_aborted` once the caller has hung up. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Throws `request_aborted` once the caller has hung up. */
  requireCaller(): void;
  /** Frees the space. */
  close(): Promise<void>;
}

/**
 * Receives a body into a temporary file that only this process can reach, and that is gone with it. Work that reads the file
 * needs no transaction that waits for the client. `hasHungUp` tells whether the caller is gone.
 *
 * Throws `body_too_large`, `transfer_too_slow`, `request_aborted` and `storage_unavailable`.
 */
export async function receiveUpload(
  request: IncomingMessage,
  limits: TransferLimits,
  hasHungUp: () => boolean,
): Promise<UploadFile> {
  const { maxUploadBytes } = limits;
  if (Number(request.headers['content-length'] ?? 0) > maxUploadBytes) {
    throw refusals.bodyTooLarge(maxUploadBytes);
  }
  const file = await openTemporary().catch(cannotStore);
  try {
    await receive(request, file, limits);
  } catch (error) {
    await file.close();
    throw error;
  }
  const requireCaller = () => {
    if (hasHungUp()) throw refusals.callerGone();
  };
  return {
    bytes: { [Symbol.asyncIterator]: () => read(file, requireCaller) },
    requireCaller,
    close: () => file.close(),
  };
}

async function openTemporary(): Promise<FileHandle> {
  const path = join(tmpdir(), `rollcall-upload-${randomUUID()}`);
  const file = await open(path, 'wx+', 0o600);
  // At once: without a name it goes with the process, whatever ends that.
  await unlink(path).catch(async (error) => {
    await file.close();
    throw error;
  });
  return file;
}

/** By hand and not by a pipeline, which destroys the request, and with it the connection that the refusal needs. */
function receive(
  request: IncomingMessage,
  file: FileHandle,
  { maxUploadBytes, minRate, uploadPatienceMs, timeoutMs }: TransferLimits,
): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    let bytes = 0;
    let isWriting = false;
    let written = Promise.resolve();
    const stopWatching = watchPace(
      { bytesPerSecond: minRate, patienceMs: uploadPatienceMs, timeoutMs },
      () => ({ bytes, isWaiting: !isWriting }),
      {
        onTooSlow: () => settle(refusals.uploadTooSlow()),
        onTooLong: () => settle(refusals.uploadTooLong(timeoutMs)),
      },
    );
    const settle = (error?: unknown) => {
      stopWatching();
      request.off('data', onData).off('end', onEnd).off('error', onLost).off('close', onLost);
      // Later errors of a request that nobody reads any more.
      request.on('error', () => undefined);
      // The rest: unread, it would block the connection for the caller's next request.
      if (error !== undefined) request.resume();
      // The file must not be closed under a write.
      written.then(() => (error === undefined ? resolve() : reject(error)), reject);
    };
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxUploadBytes) return settle(refusals.bodyTooLarge(maxUploadBytes));
      request.pause();
      isWriting = true;
      written = file.appendFile(chunk).then(() => {
        isWriting = false;
        request.resume();
      }, cannotStore);
      written.catch(settle);
    };
    const onEnd = () => settle();
    const onLost = () => settle(refusals.bodyIncomplete());
    if (request.destroyed) onLost();
    else request.on('data', onData).on('end', onEnd).on('error', onLost).on('close', onLost);
  });
}

async function* read(file: FileHandle, requireCaller: () => void): AsyncGenerator<Uint8Array> {
  for (let position = 0; ; ) {
    requireCaller();
    // A new buffer each time: a reader may keep parts of it.
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.allocUnsafe(CHUNK_BYTES), position });
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

function cannotStore(error: unknown): never {
  throw refusals.storageUnavailable(error);
}
