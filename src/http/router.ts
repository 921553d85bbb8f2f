import { Readable } from 'node:stream';
import Router from '@koa/router';
import compose from 'koa-compose';
import { DomainError } from '../domain/errors.ts';
import type { UnitOfWork } from '../store/unit.ts';
import { entityTag, ifMatchPasses } from './answer/entity-tag.ts';
import { DoorError } from './answer/problem.ts';
import type { Middleware, RequestContext, RequestState } from './context.ts';
import { asksForDryRun, type Endpoint, type Upload, type Versioned } from './endpoint.ts';
import { authorize } from './middleware/authorize.ts';
import { present } from './middleware/present.ts';
import { readJson } from './middleware/read-json.ts';
import { readUpload } from './middleware/read-upload.ts';
import { unitOfWork } from './middleware/unit-of-work.ts';
import { checkBody, checkParams, checkQuery } from './request/input.ts';

/**
 * The router of these endpoints: each with the stations that its description asks for, and its handler at the end.
 * `admission` is the station that finds out who is asking, and whether they may ask now; `inUnit` does a request as one unit
 * of work.
 */
export function createRouter(
  endpoints: readonly Endpoint[],
  admission: Middleware,
  inUnit: UnitOfWork,
): Router<RequestState> {
  const router = new Router<RequestState>();
  for (const endpoint of endpoints) {
    const { method, path, access, body, upload } = endpoint;
    const inside = compose<RequestContext>([
      ...(access === 'public' ? [] : [admission, authorize(endpoint)]),
      ...(body ? [readJson(body.types)] : []),
      ...(upload ? [readUpload(upload.types)] : []),
      handle(endpoint),
    ]);
    router.register(
      path,
      [method],
      [enter(endpoint), unitOfWork(inUnit, inside, { replays: upload === undefined }), present(endpoint)],
    );
  }
  return router;
}

const enter = ({ path }: Endpoint): Middleware =>
  async function enter(ctx, next) {
    ctx.state.route = path;
    await next();
  };

const handle = (endpoint: Endpoint): Middleware =>
  async function handle(ctx) {
    const { unit, actor, upload = NO_UPLOAD } = ctx.state;
    const query = checkQuery(endpoint.query, new URLSearchParams(ctx.querystring));
    if (asksForDryRun(query)) {
      unit.rehearse();
      // Anew for each replay.
      ctx.state.rehearsed = [];
    }
    ctx.state.shown = await endpoint.run({
      ...unit,
      actor,
      upload,
      params: checkParams(endpoint.params, ctx['params']),
      query,
      body: checkBody(endpoint.body?.schema, ctx.state.body),
      accept: (types) => accept(ctx, types),
      lastEventId: ctx.get('Last-Event-ID'),
      // Most have no use for one.
      get closed() {
        return closingOf(ctx);
      },
      matchPrecondition: (entity) => matchPrecondition(ctx, entity),
    });
  };

const NO_UPLOAD: Upload = { type: '', bytes: Readable.from([]) };

function closingOf({ res }: RequestContext): AbortSignal {
  const closing = new AbortController();
  if (res.closed) closing.abort();
  else res.once('close', () => closing.abort());
  return closing.signal;
}

function accept(ctx: RequestContext, types: readonly string[]): string {
  const type = ctx.accepts(...types);
  if (!type) throw new DoorError('not_acceptable', `This is to be had as ${types.join(' or ')}.`);
  return type;
}

function matchPrecondition(ctx: RequestContext, entity: Versioned): void {
  if (ifMatchPasses(ctx.get('If-Match'), entity)) return;
  ctx.set('ETag', entityTag(entity));
  throw new DomainError('precondition_failed', `It has changed: its version is ${entity.version} by now.`);
}
