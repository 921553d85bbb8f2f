import { Readable } from 'node:stream';
import { isKnownTo } from '../answer/entity-tag.ts';
import { sendStream } from '../answer/send-stream.ts';
import { recordedChangeView } from '../answer/views.ts';
import type { Middleware } from '../context.ts';
import type { Endpoint } from '../endpoint.ts';

/**
 * Shows what the handler returned, after the unit of work has been committed: what is shown is what is kept. Whoever has
 * it already (`If-None-Match`, RFC 9110, section 13.1.2) is told just that.
 */
export const present = ({ answer, method, rehearsesResult = false }: Endpoint): Middleware =>
  async function present(ctx) {
    if (ctx.state.rehearsed !== undefined) {
      const changes = ctx.state.rehearsed.map(recordedChangeView);
      const result = rehearsesResult ? ctx.state.shown?.().body : undefined;
      ctx.type = 'application/json';
      ctx.body = JSON.stringify({ ...(result as object | undefined), changes });
      return;
    }
    const [type] = [answer.type ?? 'application/json'].flat();
    const { body, headers } = ctx.state.shown?.() ?? { body: undefined, headers: {} };
    const tag = headers['ETag'];
    ctx.status = answer.status;
    if (method === 'GET' && tag !== undefined && isKnownTo(ctx.get('If-None-Match'), tag)) {
      ctx.status = 304;
      ctx.set('ETag', tag);
      return;
    }
    const { Vary, ...own } = headers;
    ctx.set(own);
    // Beside what the stations before it have gone by.
    if (Vary !== undefined) ctx.vary(Vary);
    if (answer.status === 204) {
      ctx.body = null;
    } else {
      if (headers['Content-Type'] === undefined) ctx.type = type ?? '';
      try {
        // Here and not in Koa, which would do it behind our back: what cannot be shown must fail where errors are answered.
        if (body instanceof Readable) await sendStream(ctx, body);
        else ctx.body = isShown(body) ? body : JSON.stringify(body);
      } catch (error) {
        // They belong to an answer that is not given.
        for (const name of Object.keys(own)) ctx.remove(name);
        throw error;
      }
    }
  };

/** Whether it can go out as it is. */
function isShown(body: unknown): body is string | Buffer {
  return typeof body === 'string' || Buffer.isBuffer(body);
}
