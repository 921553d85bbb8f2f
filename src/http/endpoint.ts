import { z } from 'zod';
import type { RefusalKind } from '../domain/refusal.ts';
import type { Scope } from '../domain/service-token.ts';
import type { User } from '../domain/user.ts';
import type { Session } from '../services/access/console-sessions.ts';
import type { Reader } from '../store/replicas/reader.ts';
import type { Unit } from '../store/unit.ts';
import type { Versioned } from './answer/entity-tag.ts';
import type { Browser } from './request/browser.ts';
import { flag } from './schemas/flag.ts';
import type { TransferKind } from './transfers/limits.ts';

/** Who may ask: anyone, anyone with an account, or admins. */
export type Access = 'public' | 'account' | 'admin';

/** A kind of refusal, whatever its arguments. */
export type AnyRefusalKind = RefusalKind<string, never[]>;

/** The body of a request. */
export interface BodyDescription<Body extends z.ZodType = z.ZodType> {
  readonly schema: Body;
  /** The accepted media types. */
  readonly types: readonly string[];
}

/** A body that is received into a file; its faults are the handler's business. */
export interface UploadDescription {
  /** The accepted media types. */
  readonly types: readonly string[];
  readonly description: string;
  /** By media type. */
  readonly examples: Readonly<Record<string, string>>;
}

/** An upload, all of which has arrived. */
export interface Upload {
  /** Its media type. */
  readonly type: string;
  /** The name of its charset, which `isCharset` knows. */
  readonly charset: string;
  /** From the start in each iteration, so that the unit of work can be replayed. Throws `request_aborted` once the caller has hung up. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Throws `request_aborted` once the caller has hung up. */
  requireCaller(): void;
}

/** What `changes` and a handler are given, all of it checked. */
export interface EndpointRequest<Params, Query, Body, Actor> {
  /** The request's unit of work. Handlers change entities in it and never flush. */
  readonly unit: Unit;
  /** Reads what may be a little late: from a read replica where the endpoint `readsReplica`, and otherwise as the unit does. */
  readonly reader: Reader;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** Empty where the endpoint takes none. */
  readonly upload: Upload;
  readonly actor: Actor;
  /** Whether the caller may see what this scope shows: an account that may call may see everything. */
  sees(scope: Scope): boolean;
  /** The session of the console that the request was sent with, if it was. */
  readonly session: Session | undefined;
  /** The browser that asks at a door of the console. */
  readonly browser: Browser;
  /** Which of these media types the caller prefers (`Accept`); the first by default. Throws `not_acceptable`. */
  accept(types: readonly string[]): string;
  /** Whether the caller takes answers that are compressed by gzip (`Accept-Encoding`). */
  readonly acceptsGzip: boolean;
  /** Aborts when the caller hangs up, and when the whole answer has been sent. */
  readonly closed: AbortSignal;
  /** Waits without a place in the load of the process: for something that others do. Throws `overloaded` afterwards. */
  standAside<T>(wait: () => Promise<T>): Promise<T>;
  /** The `Last-Event-ID` of a caller that resumes an event stream; empty otherwise. */
  readonly lastEventId: string;
}

/** The requests of a handler that changes an entity. */
export type ChangeRequest<Request, Entity> = Request & {
  /** What `changes` returned: claimed, and matched with the request's `If-Match`. */
  readonly entity: Entity;
};

/** Any request, as the router calls an endpoint. */
export type AnyRequest = EndpointRequest<unknown, unknown, unknown, User | undefined>;

/**
 * One endpoint, as data: the router and the OpenAPI document are both made of it, so they cannot disagree.
 */
export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With parameters as `:name`. */
  readonly path: string;
  readonly access: Access;
  /** The scope that a service token needs; without one, service tokens are refused. */
  readonly scope?: Scope;
  /** What it does, in a few words: a verb and its object. */
  readonly summary: string;
  /** What it is for and what to know about it, in a sentence or a few. */
  readonly description: string;
  /**
   * Whether it opens, shows or ends a session of the console. It is for our own pages alone; it knows no dry run and no `Idempotency-Key`,
   * and where it needs an account, it takes a sign-in and no session. What is refused there counts as failed authentications do.
   */
  readonly isDoor?: boolean;
  /** Whether browsers open it as a page: whoever is refused is sent back to the console, which says why. */
  readonly isNavigation?: boolean;
  /** Whether it is a door to which a provider sends browsers, from its own site. */
  readonly isCallback?: boolean;
  /** Whether it answers outside of the base path too: probes ask the process, past any proxy. */
  readonly isProbe?: boolean;
  /** Whether it is a page, which reads the query of its address itself: any query is accepted. */
  readonly isPage?: boolean;
  /**
   * Whether its `reader` may read from a read replica, which is a little late. Who asks and what they may do is read from the primary
   * all the same. Never what decides about access, nor one's own account, nor what a write is based on, nor the change feed.
   */
  readonly readsReplica?: boolean;
  readonly params?: z.ZodType;
  readonly query?: z.ZodObject;
  readonly body?: BodyDescription;
  /** Instead of a body. */
  readonly upload?: UploadDescription;
  /** What it transfers: the number of transfers at once is limited. An upload transfers accounts, unless this says otherwise. */
  readonly transfers?: TransferKind;
  readonly answer: Answer;
  /** Its own refusals, beside those of its access, parameters, query and body. */
  readonly refusals: readonly AnyRefusalKind[];
  /** The scope that shows a service token the values before a change, in the answers of dry runs. Default: `users:read`. */
  readonly revealedBy?: Scope;
  /** The schema of the answer to a dry run that has the result as well as the changes; without one, it has the changes alone. */
  readonly dryRunAnswer?: z.ZodType;
  /** Whether it is also available as server-sent events, and so obeys `Last-Event-ID`. */
  readonly obeysLastEventId?: boolean;
  /** Whether it shows the change feed, which only the primary has in full. */
  readonly showsFeed?: boolean;
  /** Finds the entity that it changes, which the router claims before the handler runs. */
  readonly changes?: (request: AnyRequest) => Promise<object> | object;
  /** Whether that entity has a version, so that the endpoint obeys `If-Match` (RFC 9110, section 13.1.1). */
  readonly obeysIfMatch: boolean;
  /** Does the work and returns how to show its result once the unit of work is committed. */
  readonly run: (request: ChangeRequest<AnyRequest, object | undefined>) => Promise<Shown>;
}

/** The answer to a request that succeeded. */
export interface Answer<Schema extends z.ZodType = z.ZodType> {
  /** 303 has no body. */
  readonly status: 200 | 201 | 204 | 303;
  readonly description: string;
  readonly schema?: Schema;
  /** For anything but our JSON; with several types, the answer's `Content-Type` says which. */
  readonly type?: string | readonly string[];
  /** Descriptions of its headers, for the document. A GET with an `ETag` obeys `If-None-Match`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Shows a result: text and streams as they are, all else as JSON. Called after the flush, so that it shows what was committed. With
 * `isKept`, it shows what is kept for a caller that asks again.
 */
export type Shown = (isKept?: boolean) => {
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>>;
  /** The cookies that it sets, which nobody keeps. */
  readonly cookies?: readonly string[];
};

/** Holds types, and no value. */
declare const TYPES: unique symbol;

/** An endpoint with the types of what is sent to it and comes back, which the typed client reads. */
export interface TypedEndpoint<
  Method extends Endpoint['method'],
  Path extends string,
  Params extends z.ZodType,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Answered extends z.ZodType,
> extends Endpoint {
  readonly method: Method;
  readonly path: Path;
  readonly [TYPES]?: {
    readonly params: z.input<Params>;
    readonly query: z.input<Query>;
    readonly body: z.input<Body>;
    readonly answer: z.output<Answered>;
  };
}

/** The types of an endpoint. */
export type TypesOf<E> = E extends { readonly [TYPES]?: infer Types } ? NonNullable<Types> : never;

type Actor<A extends Access> = A extends 'public' ? undefined : A extends 'account' ? User : User | undefined;

interface Description<
  A extends Access,
  Path extends string,
  Params extends z.ZodType,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Answered extends z.ZodType,
  Request,
  Outcome,
> {
  path: Path;
  access: A;
  scope?: A extends 'admin' ? Scope : never;
  summary: string;
  description: string;
  isDoor?: boolean;
  isNavigation?: boolean;
  isCallback?: boolean;
  isProbe?: boolean;
  isPage?: boolean;
  params?: Params;
  query?: Query;
  body?: BodyDescription<Body>;
  upload?: UploadDescription;
  transfers?: TransferKind;
  answer: Answer<Answered>;
  refusals?: Endpoint['refusals'];
  revealedBy?: Scope;
  dryRunAnswer?: z.ZodType;
  obeysLastEventId?: boolean;
  showsFeed?: boolean;
  /** Does the work. */
  handle: (request: Request) => Promise<Outcome> | Outcome;
  /** What leaves: an allow-list, as JSON. Omitted for an answer without a body. */
  view?: (outcome: Outcome) => unknown;
  /**
   * What is kept, in place of the view, for a caller that asks again under the same `Idempotency-Key`: nothing secret, and no more than
   * `MAX_KEPT_BYTES`.
   */
  keeps?: (outcome: Outcome) => unknown;
  /** The headers of the answer. */
  headers?: (outcome: Outcome) => Record<string, string>;
  /** The cookies that the answer sets, each as in `Set-Cookie`. */
  cookies?: (outcome: Outcome) => readonly string[];
}

const dryRun = flag(
  'Do everything, guards included, answer with what the history would record, and roll it back. An account created at sign-in stays.',
);

/** Whether it writes, and so accepts `dryRun=true`. */
export function isWrite({ method, access, isDoor }: Pick<Endpoint, 'method' | 'access' | 'isDoor'>): boolean {
  return method !== 'GET' && access !== 'public' && !isDoor;
}

/** Whether its answers have a bookmark, where there are read replicas: those of writes, and of the feed. */
export function givesBookmark(
  endpoint: Pick<Endpoint, 'method' | 'access' | 'isDoor' | 'showsFeed'>,
): boolean {
  return isWrite(endpoint) || endpoint.showsFeed === true;
}

/** Whether a checked query asks for a dry run. */
export function asksForDryRun(query: unknown): boolean {
  return typeof query === 'object' && query !== null && 'dryRun' in query && query.dryRun === true;
}

/** The query of an endpoint that takes none. */
type NoQuery = z.ZodObject<Record<never, never>>;

type CheckedRequest<
  A extends Access,
  Params extends z.ZodType,
  Query extends z.ZodObject,
  Body extends z.ZodType,
> = EndpointRequest<z.output<Params>, z.output<Query>, z.output<Body>, Actor<A>>;

/** Describes an endpoint that reads or creates; the types keep its schemas, its handler and its view in step. */
export function endpoint<
  A extends Access,
  Method extends 'GET' | 'POST',
  Path extends string,
  Outcome,
  Params extends z.ZodType = z.ZodUndefined,
  Query extends z.ZodObject = NoQuery,
  Body extends z.ZodType = z.ZodUndefined,
  Answered extends z.ZodType = z.ZodUndefined,
>(
  description: { method: Method; readsReplica?: Method extends 'GET' ? boolean : never } & Description<
    A,
    Path,
    Params,
    Query,
    Body,
    Answered,
    CheckedRequest<A, Params, Query, Body>,
    Outcome
  >,
): TypedEndpoint<Method, Path, Params, Query, Body, Answered> {
  return recordOf({ ...(description as AnyDescription), obeysIfMatch: false });
}

type ChangeDescription<
  A extends Access,
  Method extends 'PUT' | 'PATCH' | 'DELETE',
  Path extends string,
  Entity extends object,
  Outcome,
  Params extends z.ZodType,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Answered extends z.ZodType,
> = {
  method: Method;
  /** Finds the entity. */
  changes: (request: CheckedRequest<A, Params, Query, Body>) => Promise<Entity> | Entity;
} & Description<
  A,
  Path,
  Params,
  Query,
  Body,
  Answered,
  ChangeRequest<CheckedRequest<A, Params, Query, Body>, NoInfer<Entity>>,
  Outcome
>;

/**
 * Describes an endpoint that changes an entity. It declares the entity by `changes`: the router claims it and matches
 * `If-Match`, so that no handler can forget to.
 */
export function change<
  A extends Access,
  Method extends 'PUT' | 'PATCH' | 'DELETE',
  Path extends string,
  Entity extends Versioned,
  Outcome,
  Params extends z.ZodType = z.ZodUndefined,
  Query extends z.ZodObject = NoQuery,
  Body extends z.ZodType = z.ZodUndefined,
  Answered extends z.ZodType = z.ZodUndefined,
>(
  description: ChangeDescription<A, Method, Path, Entity, Outcome, Params, Query, Body, Answered>,
): TypedEndpoint<Method, Path, Params, Query, Body, Answered> {
  return recordOf({ ...(description as AnyDescription), obeysIfMatch: true });
}

/** Like {@link change}, for an entity without a version: the router claims it, and `If-Match` means nothing. */
export function changeUnversioned<
  A extends Access,
  Method extends 'PUT' | 'PATCH' | 'DELETE',
  Path extends string,
  Entity extends object & { readonly version?: never },
  Outcome,
  Params extends z.ZodType = z.ZodUndefined,
  Answered extends z.ZodType = z.ZodUndefined,
>(
  description: ChangeDescription<A, Method, Path, Entity, Outcome, Params, NoQuery, z.ZodUndefined, Answered>,
): TypedEndpoint<Method, Path, Params, NoQuery, z.ZodUndefined, Answered> {
  return recordOf({ ...(description as AnyDescription), obeysIfMatch: false });
}

/** Any description, before its types are forgotten. */
type AnyDescription = {
  method: Endpoint['method'];
  changes?: (request: never) => Promise<object> | object;
} & Description<Access, string, z.ZodType, z.ZodObject, z.ZodType, z.ZodType, never, never>;

function recordOf<E extends Endpoint>({
  handle,
  view,
  keeps = view,
  headers,
  cookies,
  query,
  changes,
  refusals = [],
  ...rest
}: AnyDescription & { obeysIfMatch: boolean }): E {
  const fullQuery = isWrite(rest) ? (query ?? z.strictObject({})).extend({ dryRun }) : query;
  return {
    ...rest,
    ...(fullQuery && { query: fullQuery }),
    ...(changes && { changes: changes as Endpoint['changes'] & {} }),
    refusals,
    run: async (request) => {
      const outcome = await handle(request as never);
      return (isKept = false) => ({
        body: (isKept ? keeps : view)?.(outcome),
        headers: headers?.(outcome) ?? {},
        ...(cookies && { cookies: cookies(outcome) }),
      });
    },
  } satisfies Endpoint as Endpoint as E;
}
