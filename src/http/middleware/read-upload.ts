import type { IncomingMessage } from 'node:http';
import { refusals } from '../../domain/refusals.ts';
import type { Middleware } from '../context.ts';

/** Passes the body on unread, whatever its length; it must have one of these media types, in UTF-8. */
export const readUpload = (types: readonly string[]): Middleware =>
  async function readUpload(ctx, next) {
    const type = ctx.is(...types);
    const { charset } = ctx.request;
    if (!type || ctx.get('Content-Encoding') !== '' || !/^(utf-?8)?$/i.test(charset)) {
      throw refusals.unsupportedMediaType(types);
    }
    ctx.state.upload = { type, bytes: bytesOf(ctx.req) };
    try {
      await next();
    } finally {
      // Drains what nobody has read: it would block the connection for the caller's next request.
      ctx.req.resume();
    }
  };

async function* bytesOf(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    // A reader that stops half-way must not destroy it: the answer needs the connection.
    yield* request.iterator({ destroyOnReturn: false });
  } catch (error) {
    // The caller hung up half-way: not our fault, and nobody reads the answer.
    if (!request.complete) throw refusals.bodyIncomplete();
    throw error;
  }
}
