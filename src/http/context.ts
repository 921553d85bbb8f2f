import type { Middleware as KoaMiddleware, ParameterizedContext } from 'koa';
import type { Logger } from 'pino';
import type { RecordedChange } from '../domain/change.ts';
import type { User } from '../domain/user.ts';
import type { KnownServiceToken } from '../services/access/service-tokens.ts';
import type { Unit } from '../store/unit.ts';
import type { Shown, Upload } from './endpoint.ts';

/** What the stations of one request's way tell each other. */
export interface RequestState {
  /** `X-Request-Id`: the caller's where it is sane, else our own. */
  requestId: string;
  /** The process's log, with the request's id on every line. */
  log: Logger;
  /** The path of the endpoint that was met, as the route table has it. */
  route?: string;
  /** The unit of work that the request is; anew when it is replayed. */
  unit: Unit;
  /** Who is asking; there where the endpoint wants to know. */
  actor?: User;
  /** The service token that is asking, in the place of an actor. */
  service?: KnownServiceToken;
  /**
   * What told who is asking; there where `actor` or `service` is. A browser sends a cookie by itself, also when another site
   * has it ask.
   */
  credential?: 'bearer' | 'cookie';
  /** The email (normalised) of a sign-in that is good and has no account that may be used. */
  turnedAway?: string;
  /** Whether it has been counted among its account's requests. */
  counted?: true;
  /** The JSON that came with the request; there where the endpoint takes a body. */
  body?: unknown;
  /** The body that is still to be read; there where the endpoint takes an upload. */
  upload?: Upload;
  /** What it would have written, as far as an answer takes it; there in a dry run. */
  rehearsed?: RecordedChange[];
  /** What the handler returned, to be shown once the unit of work is committed. */
  shown?: Shown;
}

/** A request on its way. */
export type RequestContext = ParameterizedContext<RequestState>;

/** A station on a request's way. */
export type Middleware = KoaMiddleware<RequestState>;
