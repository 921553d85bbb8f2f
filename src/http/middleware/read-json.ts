import getRawBody from 'raw-body';
import { refusals } from '../../domain/refusals.ts';
import { DuplicateName, parseStrictJson } from '../../domain/strict-json.ts';
import type { Middleware, RequestContext } from '../context.ts';

/** The most bytes of a JSON body. */
export const MAX_BODY_BYTES = 100 * 1024;

/**
 * Reads the request's JSON (RFC 8259: UTF-8 only), which must have one of these media types and arrive within `timeoutMs`: the
 * rights of the caller are as old as the wait for the body.
 */
export const readJson = (types: readonly string[], timeoutMs: number): Middleware =>
  async function readJson(ctx, next) {
    if (!ctx.is(...types) || ctx.get('Content-Encoding') !== '') {
      throw refusals.unsupportedMediaType(types);
    }
    // Once for all replays of the unit of work: a body cannot be read twice.
    if (!('body' in ctx.state)) {
      const arrival = () => readInTime(ctx, timeoutMs);
      // A short body has come with the head.
      const { place } = ctx.state;
      ctx.state.body = parse(await (ctx.req.complete || !place ? arrival() : place.standAside(arrival)));
    }
    return next();
  };

function readInTime(ctx: RequestContext, timeoutMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(refusals.requestTimeout()), timeoutMs);
    read(ctx)
      .finally(() => clearTimeout(timer))
      .then(resolve, reject);
  });
}

async function read(ctx: RequestContext): Promise<Buffer> {
  try {
    return await getRawBody(ctx.req, {
      length: ctx.req.headers['content-length'] ?? null,
      limit: MAX_BODY_BYTES,
    });
  } catch (error) {
    // Drains the rest: unread, it would block the connection for the caller's next request.
    ctx.req.resume();
    if ((error as { type?: string }).type === 'entity.too.large') {
      throw refusals.bodyTooLarge(MAX_BODY_BYTES);
    }
    // The caller hung up: not our fault, and nobody reads the answer.
    if (!ctx.req.complete || ctx.req.destroyed) throw refusals.bodyIncomplete();
    throw error;
  }
}

function parse(bytes: Buffer): unknown {
  try {
    return parseStrictJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    const path = error instanceof DuplicateName ? error.path : '';
    throw refusals.malformedJson([{ path, message: (error as Error).message }]);
  }
}
