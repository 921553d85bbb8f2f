import getRawBody from 'raw-body';
import type { Middleware, RequestContext } from '../context.ts';
import { DoorError } from '../problem.ts';

/** The most bytes that a request may bring along. */
export const MAX_BODY_BYTES = 100 * 1024;

/** Reads the request's JSON (RFC 8259: UTF-8 and nothing else). */
export const readJson = (): Middleware =>
  async function readJson(ctx, next) {
    if (!ctx.is('application/json') || ctx.get('Content-Encoding') !== '') {
      throw new DoorError('unsupported_media_type', 'The body must be application/json, not encoded.');
    }
    ctx.state.body = parse(await read(ctx));
    await next();
  };

async function read(ctx: RequestContext): Promise<Buffer> {
  try {
    return await getRawBody(ctx.req, {
      length: ctx.req.headers['content-length'] ?? null,
      limit: MAX_BODY_BYTES,
    });
  } catch (error) {
    // The rest is let through and dropped: left lying, it would bar the connection to the caller's next request.
    ctx.req.resume();
    if ((error as { type?: string }).type === 'entity.too.large') {
      throw new DoorError('body_too_large', `The body may have ${MAX_BODY_BYTES} bytes at most.`);
    }
    // The caller hung up half-way: no fault of ours, and nobody is there to read the answer.
    if (!ctx.req.complete) throw new DoorError('request_aborted', 'The request ended before its body did.');
    throw error;
  }
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    const { message } = error as Error;
    throw new DoorError('malformed_json', 'The body is not valid JSON.', [{ path: '', message }]);
  }
}
