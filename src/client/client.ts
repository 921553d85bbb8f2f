import type { RefusalCode } from '../domain/refusals.ts';
import type { TypesOf } from '../http/endpoint.ts';
import type { Route } from '../http/endpoints.ts';

/** Every endpoint by its method and path, with the types of what it takes and answers. */
export type Routes = { [E in Route as `${E['method']} ${E['path']}`]: TypesOf<E> };

/** The name of an endpoint: `GET /v1/users/:id`. */
export type RouteName = keyof Routes;

/** What an endpoint answers. */
export type Answered<Name extends RouteName> = Routes[Name]['answer'];

/** The query of an endpoint; values that are `undefined` are left out. Every write can be tried out: a dry run. */
export type QueryOf<Name extends RouteName> = Given<Routes[Name]['query']> &
  (Name extends `GET ${string}` ? unknown : { dryRun?: 'true' | undefined });

/** Named values, each of which may be `undefined`; none where there are no names. */
type Given<Values> = string extends keyof Values
  ? unknown
  : { [Key in keyof Values]: Values[Key] | undefined };

type Needs<Key extends string, Value> = undefined extends Value
  ? { [K in Key]?: Value }
  : { [K in Key]: Value };

/** What a request is made of. */
export type RequestOf<Name extends RouteName> = Needs<'params', Routes[Name]['params']> &
  Needs<'body', Routes[Name]['body']> & {
    query?: QueryOf<Name>;
    /** The version of the account that the change is based on. Throws a problem with the code `version_mismatch` after another change. */
    version?: number;
    /** Makes it safe to repeat the request: the same key is carried out once. */
    idempotencyKey?: string;
    /** Why: the history keeps it. */
    reason?: string;
    /** Further headers. */
    headers?: Readonly<Record<string, string>>;
    signal?: AbortSignal;
  };

/** What a problem (RFC 9457) says, beside its code. */
export interface ProblemDetails {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly code: RefusalCode;
  readonly requestId: string;
  /** Each fault of the input. */
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
  /** Fields and preference paths that have changed since. */
  readonly fields?: readonly string[];
  readonly [member: string]: unknown;
}

/** A refusal of the service. */
export class Problem extends Error {
  readonly code: RefusalCode;
  readonly details: ProblemDetails;
  /** In how many milliseconds to try again, where the service says so. */
  readonly retryAfterMs: number | undefined;

  constructor(details: ProblemDetails, retryAfterMs?: number) {
    super(details.detail);
    this.name = 'Problem';
    this.code = details.code;
    this.details = details;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The service could not be reached, or what answered was not the service. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** Calls the service. */
export type Call = <Name extends RouteName>(name: Name, request?: RequestOf<Name>) => Promise<Answered<Name>>;

/** Options of a client. */
export interface ClientOptions {
  /** The address of the service, without a slash at its end; default: that of the page. */
  readonly baseUrl?: string;
  /** A bearer token for each request; default: the browser's cookies. */
  readonly token?: () => string | Promise<string>;
  /** Headers of each request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
}

/**
 * Creates a client that is typed by the endpoint records of the service.
 *
 * The calls throw a {@link Problem} for a refusal, {@link Unreachable} where there is no answer of the service, and the signal's
 * reason once it aborts.
 */
export function createClient({
  baseUrl = '',
  token,
  headers: own,
  fetch: send = fetch,
}: ClientOptions = {}): Call {
  return async (name, request) => {
    const { params, query, body, version, idempotencyKey, reason, headers, signal } = (request ??
      {}) as AnyRequest;
    const [method = '', path = ''] = name.split(' ');
    const init: RequestInit = { method, ...(signal && { signal }) };
    const sent = new Headers({ ...own, ...headers });
    if (token) sent.set('Authorization', `Bearer ${await token()}`);
    if (version !== undefined) sent.set('If-Match', `"${version}"`);
    if (reason !== undefined) sent.set('Rollcall-Reason', encodeURIComponent(reason));
    if (idempotencyKey !== undefined) sent.set('Idempotency-Key', `"${idempotencyKey}"`);
    if (body !== undefined) {
      if (!sent.has('Content-Type')) sent.set('Content-Type', 'application/json');
      init.body = body instanceof Blob || typeof body === 'string' ? body : JSON.stringify(body);
    }
    init.headers = sent;
    const answer = await send(baseUrl + pathOf(path, params) + queryOf(query), init).catch(
      (error: unknown) => {
        signal?.throwIfAborted();
        throw new Unreachable('The service could not be reached.', { cause: error });
      },
    );
    if (!answer.ok) throw await problemOf(answer);
    if (answer.status === 204) return undefined as never;
    return (await answer.json().catch((error: unknown) => {
      signal?.throwIfAborted();
      throw new Unreachable('The answer was cut off.', { cause: error });
    })) as never;
  };
}

/** A request, whatever it is for. */
interface AnyRequest {
  params?: Readonly<Record<string, string>>;
  query?: Readonly<Record<string, string | undefined>>;
  body?: unknown;
  version?: number;
  idempotencyKey?: string;
  reason?: string;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}

/** A path with its parameters filled in. */
export function pathOf(path: string, params: Readonly<Record<string, string>> = {}): string {
  return path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
}

/** A query with its question mark; empty where there are no values. */
export function queryOf(query: Readonly<Record<string, string | undefined>> = {}): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

async function problemOf(answer: Response): Promise<Error> {
  const details = (await answer.json().catch(() => undefined)) as ProblemDetails | undefined;
  const seconds = Number(answer.headers.get('Retry-After') ?? Number.NaN);
  if (typeof details?.code === 'string')
    return new Problem(details, Number.isNaN(seconds) ? undefined : seconds * 1000);
  return new Unreachable(`Not an answer of the service: status ${answer.status}.`);
}
