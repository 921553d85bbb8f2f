import type { Middleware as KoaMiddleware, ParameterizedContext } from 'koa';
import type { Logger } from 'pino';
import type { RefusalCode } from '../domain/refusals.ts';
import type { User } from '../domain/user.ts';
import type { Session } from '../services/access/console-sessions.ts';
import type { KnownServiceToken } from '../services/access/service-token-look-up.ts';
import type { Unit } from '../store/unit.ts';
import type { Shown, Upload } from './endpoint.ts';
import type { Credentials } from './request/credentials.ts';
import type { Leave } from './transfers/places.ts';
import type { UploadFile } from './transfers/upload-file.ts';

/** What the middleware of one request tell each other. */
export interface RequestState {
  /** `X-Request-Id`: the caller's own where it is valid, else ours. */
  requestId: string;
  /** The caller's `X-Request-Id` where it is not valid, fit for the log. */
  clientRequestId?: string;
  /** The ids of its span, where requests are traced, by the names that OpenTelemetry gives them in logs. */
  trace?: { readonly trace_id: string; readonly span_id: string };
  /** The process's log, with the request's id on every line. */
  log: Logger;
  /** The path of the matched endpoint, as in the route table. */
  route?: string;
  /** Whether that endpoint is a probe. */
  isProbe?: true;
  /** The request's unit of work; a new one in a replay. */
  unit: Unit;
  /** The account that asks; set where the endpoint requires identity. */
  actor?: User;
  /** The service token that asks, instead of an actor. */
  service?: KnownServiceToken;
  /** The identity of the actor by which it has signed in; none where its sign-in has no subject. */
  identityId?: number | undefined;
  /** The session of the console by which the actor asks. */
  session?: Session;
  /** Whether its endpoint opens or ends a session of the console. */
  isDoor?: true;
  /** What the request was sent with. */
  credentials?: Credentials | undefined;
  /** What identified the caller. A browser sends a cookie by itself, even when another site makes it ask. */
  credential?: Credentials['credential'];
  /** The code of the problem that answers the request. */
  problem?: RefusalCode;
  /** The limit that it is over. */
  limitedBy?: string;
  /** Called once the caller is identified. */
  onIdentified?: () => void;
  /** Whether it has credentials, and they are refused. */
  hasBadCredentials?: true;
  /** Whether its sign-in has failed, though its answer is no refusal. */
  hasFailedSignIn?: true;
  /** Whether its token names a key that its issuer is not known to have. */
  hasUnknownKey?: true;
  /** The email (normalized) of a valid sign-in that was refused an account. */
  refusedEmail?: string;
  /** Whether the request counts among its account's requests already. */
  counted?: true;
  /** Whether its changes count among the history that its account writes already. */
  hasSpent?: true;
  /** Its place in the load of the process; set where it has one. */
  place?: { leave(): void; standAside<T>(wait: () => Promise<T>): Promise<T> };
  /** The request's JSON; set where the endpoint takes a body. */
  body?: unknown;
  /** The body in a file; set where the endpoint takes an upload. */
  upload?: Upload & Pick<UploadFile, 'close'>;
  /** The digest of the request; set where it has an `Idempotency-Key`. */
  fingerprint?: string;
  /** Leaves the place of a transfer; set where the request is one. */
  leave?: Leave;
  /** The bytes of an answer that was sent as a stream. */
  streamedBytes?: number;
  /** How to show what the handler returned, once the unit of work is committed. */
  shown?: Shown;
}

/** A request on its way. */
export type RequestContext = ParameterizedContext<RequestState>;

/** A middleware. */
export type Middleware = KoaMiddleware<RequestState>;
