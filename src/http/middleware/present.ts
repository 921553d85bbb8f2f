import { Readable } from 'node:stream';
import { sees } from '../../services/access/service-token-look-up.ts';
import { unnumberedChangeView, unnumberedWrittenView } from '../../services/history/view.ts';
import { isKnownTo } from '../answer/entity-tag.ts';
import { type ReadingLimits, sendStream } from '../answer/send-stream.ts';
import type { Middleware, RequestContext } from '../context.ts';
import type { Endpoint, Shown } from '../endpoint.ts';

/** What an answer may have and still be left to the socket, in bytes. */
const LARGE_BYTES = 64 * 1024;

/**
 * Shows what the handler returned, after the commit: the answer shows what was stored. A caller that has it already
 * (`If-None-Match`, RFC 9110, section 13.1.2) gets 304. A caller that is slower than `limits` with a transfer, or with any other
 * large answer, is cut off.
 */
export const present = (
  { answer, method, transfers, revealedBy = 'users:read', dryRunAnswer }: Endpoint,
  basePath: string,
  limits: ReadingLimits,
): Middleware =>
  async function present(ctx) {
    const { unit } = ctx.state;
    if (unit.dryRun) {
      const isRevealed = sees(ctx.state.service, revealedBy);
      const changes = unit.recorded.map(isRevealed ? unnumberedChangeView : unnumberedWrittenView);
      const result = dryRunAnswer ? ctx.state.shown?.().body : undefined;
      ctx.type = 'application/json';
      ctx.body = JSON.stringify({ ...(result as object | undefined), changes });
      return;
    }
    const [type] = [answer.type ?? 'application/json'].flat();
    const { body, headers, cookies } = ctx.state.shown?.() ?? NOTHING;
    const tag = headers['ETag'];
    ctx.status = answer.status;
    for (const [name, value] of Object.entries(headers)) {
      // Beside what earlier middleware added.
      if (name === 'Vary') ctx.vary(value);
      else ctx.res.setHeader(name, underBasePath(name, value, basePath));
    }
    if (cookies !== undefined) ctx.res.setHeader('Set-Cookie', [...cookies]);
    if (method === 'GET' && tag !== undefined && isKnownTo(ctx.get('If-None-Match'), tag)) {
      // With all headers of the 200: a cache replaces those that it stored (RFC 9111, section 3.2).
      ctx.status = 304;
      ctx.body = null;
    } else if (answer.status === 204 || answer.status === 303) {
      ctx.body = null;
      ctx.status = answer.status;
    } else {
      if (headers['Content-Type'] === undefined) ctx.type = type ?? '';
      try {
        // Here and not in Koa, later: what cannot be serialized must fail where errors are answered.
        if (body instanceof Readable) await sendStream(ctx, body, transfers && limits);
        else await sendWhole(ctx, isShown(body) ? body : JSON.stringify(body), limits);
      } catch (error) {
        // They belong to an answer that is not sent.
        for (const name of Object.keys(headers)) if (name !== 'Vary') ctx.remove(name);
        ctx.remove('Set-Cookie');
        throw error;
      }
    }
  };

const NOTHING: ReturnType<Shown> = { body: undefined, headers: {} };

/** Puts the base path in front of the paths in `Location` and `Link`: endpoints know their own paths alone. */
function underBasePath(name: string, value: string, basePath: string): string {
  if (name === 'Location') return value.startsWith('/') ? basePath + value : value;
  return name === 'Link' ? value.replace(/^</, `<${basePath}`) : value;
}

/** Answers with a text or bytes; a caller that does not read them must not keep much of them in memory for long. */
async function sendWhole(ctx: RequestContext, body: string | Buffer, limits: ReadingLimits): Promise<void> {
  const length = Buffer.byteLength(body);
  if (length <= LARGE_BYTES || ctx.method === 'HEAD') {
    ctx.body = body;
    return;
  }
  ctx.length = length;
  await sendStream(ctx, Readable.from([body]), limits);
}

/** Whether it can be sent as it is. */
function isShown(body: unknown): body is string | Buffer {
  return typeof body === 'string' || Buffer.isBuffer(body);
}
