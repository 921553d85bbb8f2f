import Router from '@koa/router';
import compose from 'koa-compose';
import { refusals } from '../domain/refusals.ts';
import type { Seeds } from '../services/accounts/seed-warning.ts';
import { primaryReader } from '../store/replicas/reader.ts';
import type { Replicas } from '../store/replicas/replicas.ts';
import type { UnitOfWork } from '../store/unit.ts';
import { entityTag, ifMatchPasses, type Versioned } from './answer/entity-tag.ts';
import { answerToKeep, shownAgain } from './answer/kept-answer.ts';
import type { Middleware, RequestContext, RequestState } from './context.ts';
import { asksForDryRun, type Endpoint, givesBookmark, isWrite } from './endpoint.ts';
import { authorize } from './middleware/authorize.ts';
import { bookmark } from './middleware/bookmark.ts';
import { present } from './middleware/present.ts';
import { readJson } from './middleware/read-json.ts';
import { readUpload } from './middleware/read-upload.ts';
import { enterTransfer, leaveTransfer } from './middleware/transfers.ts';
import { unitOfWork } from './middleware/unit-of-work.ts';
import { warnOfSeed } from './middleware/warn-of-seed.ts';
import { readingCaller } from './request/bookmark.ts';
import type { BrowserReader } from './request/browser.ts';
import { HandledRequest } from './request/handled-request.ts';
import { hasKey, keyedRequestOf } from './request/idempotency-key.ts';
import { checkBody, checkParams, checkQuery } from './request/input.ts';
import { reasonOf } from './request/reason.ts';
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
  /** The middleware in front of all that needs an identity. */
  readonly guards: readonly Middleware[];
  /** Refuses what is sent to a door of the console from another site. */
  readonly refuseForeign: Middleware;
  /** Sends browsers that are refused back to the console. */
  readonly returnRefused: Middleware;
  /** Reads what a request says about its browser. */
  readonly browserOf: BrowserReader;
  /** Bounds the work in flight. */
  readonly shedLoad: (work: Middleware) => Middleware;
  /** The read replicas; without any, everything is read from the primary. */
  readonly replicas: Replicas | undefined;
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
  options: RouterOptions,
): Middleware {
  const { basePath, requestTimeoutMs, seeds, transfers, guards, refuseForeign, shedLoad, replicas } = options;
  // A rule of a proxy about a path knows one way to write it.
  const probes = new Router<RequestState>({ sensitive: true });
  const fixed = new Router<RequestState>({ prefix: basePath, sensitive: true });
  const patterns = new Router<RequestState>({ prefix: basePath, sensitive: true });
  for (const endpoint of endpoints) {
    const {
      method,
      path,
      access,
      isDoor,
      isNavigation,
      isCallback,
      body,
      upload,
      transfers: kind = upload && 'accounts',
    } = endpoint;
    const inside = compose<RequestContext>([
      ...(isDoor && !isCallback ? [refuseForeign] : []),
      ...(access === 'public' ? [] : [identify, authorize(endpoint)]),
      ...(body ? [readJson(body.types, requestTimeoutMs)] : []),
      ...(kind ? [refuseQuery(endpoint), enterTransfer(transfers, kind)] : []),
      ...(upload ? [readUpload(upload.types, transfers.limits)] : []),
      handle(endpoint, options),
    ]);
    const routers = [
      path.includes(':') ? patterns : fixed,
      ...(endpoint.isProbe && basePath ? [probes] : []),
    ];
    // What a transfer has done would have to be repeated, and the number of transfers is limited.
    const work = compose<RequestContext>([
      unitOfWork(inUnit, inside, { waitsForLocks: kind !== undefined }),
      ...(replicas && givesBookmark(endpoint) ? [bookmark(replicas)] : []),
    ]);
    // Composed here: the router composes what it is given anew for every request.
    const route = compose<RequestContext>([
      nameRoute(endpoint),
      ...(isNavigation ? [options.returnRefused] : []),
      ...(mayRefuseCredentials(endpoint) ? guards : []),
      ...(kind ? [leaveTransfer()] : []),
      endpoint.isProbe || kind ? work : unlessStreamed(endpoint, shedLoad(work), work),
      ...(seeds.length > 0 && isWrite(endpoint) ? [warnOfSeed(seeds)] : []),
      present(endpoint, basePath, transfers.limits),
    ]);
    for (const router of routers) router.register(path, [method], [route as Middleware]);
  }
  const matchPatterns = patterns.routes();
  return compose<RequestContext>([
    ...(basePath ? [probes.routes() as Middleware] : []),
    fixed.routes() as Middleware,
    // A fixed path is never an instance of a pattern, not even for a method that it lacks: `PATCH /v1/users/export` is 405.
    function unlessFixed(ctx, next) {
      return ctx['matched'].length > 0 ? next() : matchPatterns(ctx as never, next);
    },
    fixed.allowedMethods() as Middleware,
  ]);
}

/** Whether credentials can fail there, and so are limited in that. */
function mayRefuseCredentials({ access, refusals: own }: Endpoint): boolean {
  const codes = [refusals.unauthenticated.code, refusals.rateLimited.code];
  return access !== 'public' || own.some(({ code }) => codes.some((one) => one === code));
}

const nameRoute = ({ path, isProbe, isDoor }: Endpoint): Middleware =>
  function nameRoute(ctx, next) {
    ctx.state.route = path;
    if (isDoor) ctx.state.isDoor = true;
    if (isProbe) ctx.state.isProbe = true;
    return next();
  };

/** Browsers never open an event stream again that was refused: those pass the load by. */
const unlessStreamed = ({ obeysLastEventId }: Endpoint, limited: Middleware, work: Middleware): Middleware =>
  obeysLastEventId
    ? function unlessStreamed(ctx, next) {
        return ctx.get('Accept').includes('text/event-stream') ? work(ctx, next) : limited(ctx, next);
      }
    : limited;

/** Refuses an invalid query before a transfer begins. */
const refuseQuery = (endpoint: Endpoint): Middleware =>
  function refuseQuery(ctx, next) {
    queryOf(endpoint, ctx);
    return next();
  };

const handle = (
  endpoint: Endpoint,
  { replicas, browserOf }: Pick<RouterOptions, 'replicas' | 'browserOf'>,
): Middleware => {
  const writes = isWrite(endpoint);
  // The one place that decides who reads from a replica: endpoints that say so, and nobody else.
  const readerOf = (ctx: RequestContext) =>
    endpoint.readsReplica && replicas
      ? replicas.readerFor(ctx.state.unit.em, readingCaller(ctx))
      : primaryReader(ctx.state.unit.em);
  return async function handle(ctx) {
    const { unit, body } = ctx.state;
    const query = queryOf(endpoint, ctx);
    unit.dryRun = asksForDryRun(query);
    if (writes) unit.reason = reasonOf(ctx);
    const keyed = writes && hasKey(ctx) && !unit.dryRun ? await keyedRequestOf(ctx) : undefined;
    const kept = keyed && (await unit.answerTo(keyed));
    if (kept !== undefined) {
      ctx.state.shown = shownAgain(kept);
      return;
    }
    const params = checkParams(endpoint.params, ctx['params']);
    const checked = { params, query, body: checkBody(endpoint.body?.schema, body) };
    const request = new HandledRequest(ctx, checked, readerOf, browserOf);
    if (keyed !== undefined) unit.keeps = answerToKeep(keyed, ctx, request);
    const entity = await endpoint.changes?.(request);
    if (entity !== undefined) {
      await unit.claim(entity);
      if (endpoint.obeysIfMatch) matchPrecondition(ctx, entity as Versioned);
    }
    request.entity = entity;
    ctx.state.shown = await endpoint.run(request);
  };
};

/** The query of a request, checked. */
function queryOf({ query, method, isPage = false }: Endpoint, ctx: RequestContext) {
  return isPage ? {} : checkQuery(query, ctx.querystring, method === 'GET');
}

function matchPrecondition(ctx: RequestContext, entity: Versioned): void {
  const ifMatch = ctx.req.headers['if-match'];
  if (ifMatch === undefined || ifMatchPasses(ifMatch, entity)) return;
  ctx.set('ETag', entityTag(entity));
  throw refusals.preconditionFailed(ifMatch, entity.version);
}
