import type { IncomingMessage } from 'node:http';
import { DoorError } from '../answer/problem.ts';
import type { Middleware } from '../context.ts';

/** Leaves the body of the request to be read as it comes, however long; it comes as one of these media types, in UTF-8. */
export const readUpload = (types: readonly string[]): Middleware =>
  async function readUpload(ctx, next) {
    const type = ctx.is(...types);
    const { charset } = ctx.request;
    if (!type || ctx.get('Content-Encoding') !== '' || !/^(utf-?8)?$/i.test(charset)) {
      throw new DoorError(
        'unsupported_media_type',
        `The body must be ${types.join(' or ')}, in UTF-8, not encoded.`,
      );
    }
    ctx.state.upload = { type, bytes: bytesOf(ctx.req) };
    try {
      await next();
    } finally {
      // What nobody has read is dropped: left lying, it would bar the connection to the caller's next request.
      ctx.req.resume();
    }
  };

async function* bytesOf(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    // Destroyed by a reader who stops half-way, it would take the answer's connection along.
    yield* request.iterator({ destroyOnReturn: false });
  } catch (error) {
    // The caller hung up half-way: no fault of ours, and nobody is there to read the answer.
    if (!request.complete) throw new DoorError('request_aborted', 'The request ended before its body did.');
    throw error;
  }
}
