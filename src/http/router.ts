import { Readable } from 'node:stream';
import Router from '@koa/router';
import compose from 'koa-compose';
import { refusals } from '../domain/refusals.ts';
import type { Seeds } from '../services/accounts/seed-warning.ts';
import type { UnitOfWork } from '../store/unit.ts';
import { entityTag, ifMatchPasses, type Versioned } from './answer/entity-tag.ts';
import type { Middleware, RequestContext, RequestState } from './context.ts';
import { type AnyRequest, asksForDryRun, type Endpoint, isWrite, type Upload } from './endpoint.ts';
import { authorize, sees } from './middleware/authorize.ts';
import { present } from './middleware/present.ts';
import { readJson } from './middleware/read-json.ts';
import { readUpload } from './middleware/read-upload.ts';
import { enterTransfer, leaveTransfer } from './middleware/transfers.ts';
import { unitOfWork } from './middleware/unit-of-work.ts';
import { warnOfSeed } from './middleware/warn-of-seed.ts';
import { checkBody, checkParams, checkQuery } from './request/input.ts';
import type { Transfers } from './transfers/limits.ts';

/** Options of the router. */
export interface RouterOptions {
  /** In front of every path; empty: none. */
  readonly basePath: string;
  /** How long a JSON body may take to arrive, in milliseconds. */
  readonly requestTimeoutMs: number;
  /** The emails of INITIAL_ADMINS. */
  readonly seeds: Seeds;
  /** The transfers of this process. */
  readonly transfers: Transfers;
}

/**
 * Creates the router of these endpoints: each with the middleware that its description asks for, and its handler at the end.
 * `identify` is the middleware that finds out who is asking; `inUnit` runs a request as one unit of work. Answers 405 and
 * `OPTIONS` with `Allow`.
 */
export function createRouter(
  endpoints: readonly Endpoint[],
  identify: Middleware,
  inUnit: UnitOfWork,
  { basePath, requestTimeoutMs, seeds, transfers }: RouterOptions,
): Middleware {
  const probes = new Router<RequestState>();
  const fixed = new Router<RequestState>({ prefix: basePath });
  const patterns = new Router<RequestState>({ prefix: basePath });
  for (const endpoint of endpoints) {
    const { method, path, access, body, upload, transfers: kind = upload && 'accounts' } = endpoint;
    const inside = compose<RequestContext>([
      ...(access === 'public' ? [] : [identify, authorize(endpoint)]),
      ...(body ? [readJson(body.types, requestTimeoutMs)] : []),
      ...(kind ? [refuseQuery(endpoint), enterTransfer(transfers, kind)] : []),
      ...(upload ? [readUpload(upload.types, transfers.limits)] : []),
      handle(endpoint),
    ]);
    const routers = [
      path.includes(':') ? patterns : fixed,
      ...(endpoint.isProbe && basePath ? [probes] : []),
    ];
    for (const router of routers)
      router.register(
        path,
        [method],
        [
          nameRoute(endpoint),
          ...(kind ? [leaveTransfer()] : []),
          unitOfWork(inUnit, inside),
          ...(seeds.length > 0 && isWrite(endpoint) ? [warnOfSeed(seeds)] : []),
          present(endpoint, basePath, transfers.limits),
        ],
      );
  }
  const matchPatterns = patterns.routes();
  return compose<RequestContext>([
    probes.routes() as Middleware,
    fixed.routes() as Middleware,
    // A fixed path is never an instance of a pattern, not even for a method that it lacks: `PATCH /v1/users/export` is 405.
    async function unlessFixed(ctx, next) {
      await (ctx['matched'].length > 0 ? next() : matchPatterns(ctx as never, next));
    },
    fixed.allowedMethods() as Middleware,
  ]);
}

const nameRoute = ({ path }: Endpoint): Middleware =>
  async function nameRoute(ctx, next) {
    ctx.state.route = path;
    await next();
  };

/** Refuses an invalid query before a transfer begins. */
const refuseQuery = (endpoint: Endpoint): Middleware =>
  async function refuseQuery(ctx, next) {
    queryOf(endpoint, ctx);
    await next();
  };

const handle = (endpoint: Endpoint): Middleware =>
  async function handle(ctx) {
    const { unit, actor, service, upload = NO_UPLOAD } = ctx.state;
    const query = queryOf(endpoint, ctx);
    unit.dryRun = asksForDryRun(query);
    const request: AnyRequest = {
      unit,
      actor,
      upload,
      params: checkParams(endpoint.params, ctx['params']),
      query,
      body: checkBody(endpoint.body?.schema, ctx.state.body),
      sees: (scope) => sees(service, scope),
      accept: (types) => accept(ctx, types),
      lastEventId: ctx.get('Last-Event-ID'),
      // Few endpoints need one.
      get closed() {
        return closingOf(ctx);
      },
    };
    const entity = await endpoint.changes?.(request);
    if (entity !== undefined) {
      await unit.claim(entity);
      if (endpoint.obeysIfMatch) matchPrecondition(ctx, entity as Versioned);
    }
    // Not by spreading, which would create the signal of every request.
    ctx.state.shown = await endpoint.run(Object.assign(request, { entity }));
  };

/** The query of a request, checked. */
function queryOf({ query, method }: Endpoint, ctx: RequestContext) {
  return checkQuery(query, new URLSearchParams(ctx.querystring), method === 'GET');
}

const NO_UPLOAD: Upload = { type: '', charset: '', bytes: Readable.from([]) };

function closingOf({ res }: RequestContext): AbortSignal {
  const closing = new AbortController();
  if (res.closed) closing.abort();
  else res.once('close', () => closing.abort());
  return closing.signal;
}

/** The most characters of an `Accept` that is read: matching it with the types takes more than linear time. */
const MAX_ACCEPT_LENGTH = 2_048;

function accept(ctx: RequestContext, types: readonly string[]): string {
  const type = ctx.get('Accept').length <= MAX_ACCEPT_LENGTH && ctx.accepts(...types);
  if (!type) throw refusals.notAcceptable(types);
  return type;
}

function matchPrecondition(ctx: RequestContext, entity: Versioned): void {
  const ifMatch = ctx.get('If-Match');
  if (ifMatchPasses(ifMatch, entity)) return;
  ctx.set('ETag', entityTag(entity));
  throw refusals.preconditionFailed(ifMatch, entity.version);
}
