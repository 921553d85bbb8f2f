import type { EntityManager } from '@mikro-orm/postgresql';
import type { Middleware as KoaMiddleware, ParameterizedContext } from 'koa';
import type { Logger } from 'pino';
import type { User } from '../domain/user.ts';

/** What the stations of one request's way tell each other. */
export interface RequestState {
  /** `X-Request-Id`: the caller's where it is sane, else our own. */
  requestId: string;
  /** The process's log, with the request's id on every line. */
  log: Logger;
  /** The unit of work: this request's own EntityManager, flushed once after its handler. */
  em: EntityManager;
  /** The path of the endpoint that was met, as the route table has it. */
  route?: string;
  /** Who is asking; there where the endpoint wants to know. */
  actor?: User;
  /** The JSON that came with the request; there where the endpoint takes a body. */
  body?: unknown;
  /** Makes the answer's body of what the handler returned; called once the unit of work is committed. */
  view?: () => unknown;
}

/** A request on its way. */
export type RequestContext = ParameterizedContext<RequestState>;

/** A station on a request's way. */
export type Middleware = KoaMiddleware<RequestState>;
