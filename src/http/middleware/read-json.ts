import getRawBody from 'raw-body';
import type { InputError } from '../../domain/errors.ts';
import { findDuplicateName } from '../../domain/strict-json.ts';
import { DoorError } from '../answer/problem.ts';
import type { Middleware, RequestContext } from '../context.ts';

/** The most bytes that a request may bring along. */
export const MAX_BODY_BYTES = 100 * 1024;

/** Reads the request's JSON (RFC 8259: UTF-8 and nothing else), which comes as one of these media types. */
export const readJson = (types: readonly string[]): Middleware =>
  async function readJson(ctx, next) {
    if (!ctx.is(...types) || ctx.get('Content-Encoding') !== '') {
      throw new DoorError('unsupported_media_type', `The body must be ${types.join(' or ')}, not encoded.`);
    }
    // Once for all replays of the unit of work: a body cannot be read a second time.
    if (!('body' in ctx.state)) ctx.state.body = parse(await read(ctx));
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
    // The caller hung up, half-way or before we came to it: no fault of ours, and nobody is there to read the answer.
    if (!ctx.req.complete || ctx.req.destroyed)
      throw new DoorError('request_aborted', 'The request ended before its body did.');
    throw error;
  }
}

function parse(bytes: Buffer): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const value = JSON.parse(text);
    const duplicate = findDuplicateName(text);
    if (duplicate === undefined) return value;
    throw malformed([{ path: duplicate.path, message: 'This name must be given once.' }]);
  } catch (error) {
    throw error instanceof DoorError ? error : malformed([{ path: '', message: (error as Error).message }]);
  }
}

function malformed(errors: InputError[]): DoorError {
  return new DoorError('malformed_json', 'The body is not valid JSON.', errors);
}
