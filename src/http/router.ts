import Router from '@koa/router';
import type { Middleware, RequestState } from './context.ts';
import type { Endpoint } from './endpoint.ts';
import { readJson } from './middleware/read-json.ts';

/**
 * The router of these endpoints: each with the stations that its description asks for, and its handler at the end.
 * `authenticated` is the station that finds out who is asking.
 */
export function createRouter(
  endpoints: readonly Endpoint[],
  authenticated: Middleware,
): Router<RequestState> {
  const router = new Router<RequestState>();
  const withJson = readJson();
  for (const endpoint of endpoints) {
    const stations: Middleware[] = [enter(endpoint)];
    if (endpoint.access !== 'public') stations.push(authenticated);
    if (endpoint.takesBody) stations.push(withJson);
    stations.push(handle(endpoint));
    router.register(endpoint.path, [endpoint.method], stations);
  }
  return router;
}

const enter = ({ path }: Endpoint): Middleware =>
  async function enter(ctx, next) {
    ctx.state.route = path;
    await next();
  };

const handle = ({ run }: Endpoint): Middleware =>
  async function handle(ctx) {
    const { em, actor, body } = ctx.state;
    ctx.state.view = await run({ em, actor, body });
  };
