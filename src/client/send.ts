import { errorOf, Problem, Unreachable } from './problem.ts';
import { pause, waitBefore } from './retry.ts';

/** A bearer token, or how to get one. It is asked again once where the service has refused a token, which it is told then. */
export type Token = string | ((refused?: string) => string | undefined | Promise<string | undefined>);

/** Options of a client. */
export interface ClientOptions {
  /** The address of the service, with its base path. Default: that of the page. */
  readonly baseUrl?: string;
  /** Default: the browser's cookies. */
  readonly token?: Token;
  /** Headers of each request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether to send cookies to another origin: `include`. */
  readonly credentials?: NonNullable<RequestInit['credentials']>;
  /** How often a request is sent again where that is safe. Default: 2. */
  readonly retries?: number;
  /** How long an attempt may take, in milliseconds; `Infinity`: as long as it does. Default: 30 s, and none for uploads and streams. */
  readonly timeoutMs?: number;
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
}

/** A request, whatever it is for. */
export interface AnyRequest {
  readonly params?: Readonly<Record<string, unknown>>;
  readonly query?: object | undefined;
  readonly body?: unknown;
  readonly type?: string | undefined;
  readonly version?: number | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly reason?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
  readonly retries?: number | undefined;
}

/** Sends a request for an endpoint, named by its method and path. */
export type Send = (name: string, request?: AnyRequest) => Promise<unknown>;

/** How long a request waits for its answer where nothing else is said, in milliseconds. */
export const TIMEOUT_MS = 30_000;
const RETRIES = 2;

/** The versions of answers, which those of preferences do not have in them. */
const versions = new WeakMap<object, number>();

/** The version of what was read: of an account, or of preferences as an endpoint has answered them. */
export function versionOf(read: unknown): number | undefined {
  if (typeof read !== 'object' || read === null) return undefined;
  return (
    versions.get(read) ?? ('version' in read && typeof read.version === 'number' ? read.version : undefined)
  );
}

/** The media types of downloads and streams, which are not read here. */
const DOWNLOAD = /ndjson|csv|event-stream/;

/** The doors of the console, which know no `Idempotency-Key`. */
const DOOR = /^\/v1\/session(\/|$)/;

/**
 * Creates what sends requests. It throws a {@link Problem} for a refusal, {@link Unreachable} where the service does not answer, and the
 * signal's reason once it aborts.
 */
export function createSend({
  baseUrl = '',
  token,
  headers: always,
  credentials,
  retries: defaultRetries = RETRIES,
  timeoutMs: defaultTimeoutMs,
  fetch: fetchIt = (input, init) => fetch(input, init),
}: ClientOptions): Send {
  const base = baseUrl.replace(/\/+$/, '');
  let bookmark = '';
  let refreshing: Promise<string | undefined> | undefined;

  /** Asks for another token, once for all requests whose token was refused. */
  const refresh = (refused: string | undefined): Promise<string | undefined> => {
    refreshing ??= (async () => (typeof token === 'function' ? token(refused) : undefined))().finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  };

  return async (name, request = {}) => {
    const { params, query, body, version, reason, signal, retries = defaultRetries } = request;
    const [method = '', path = ''] = name.split(' ');
    const isRead = method === 'GET';
    const isRaw = typeof body === 'string' || isBinary(body);
    const isReplayable = !(body instanceof ReadableStream);
    const timeoutMs =
      request.timeoutMs ?? defaultTimeoutMs ?? (isRaw ? Number.POSITIVE_INFINITY : TIMEOUT_MS);
    const key =
      request.idempotencyKey ??
      (isRead || retries === 0 || DOOR.test(path) || asksForDryRun(query) ? undefined : randomKey());
    const isSafe = (isRead || key !== undefined || asksForDryRun(query)) && isReplayable;
    const headers = new Headers({ ...always, ...request.headers });
    const set = (header: string, value: string | undefined) => {
      if (value !== undefined && !headers.has(header)) headers.set(header, value);
    };
    set('If-Match', version === undefined ? undefined : `"${version}"`);
    set('Idempotency-Key', key === undefined ? undefined : `"${key}"`);
    set('Rollcall-Reason', reason === undefined ? undefined : encodeURIComponent(reason));
    if (body !== undefined) set('Content-Type', request.type ?? typeOf(body, isRaw));
    const init: RequestInit & { duplex?: 'half' } = {
      method,
      headers,
      ...(credentials && { credentials }),
      ...(body !== undefined && {
        body: isRaw ? (body as NonNullable<RequestInit['body']>) : JSON.stringify(body),
      }),
      // Required by the Fetch Standard for a body that is still being made.
      ...(!isReplayable && { duplex: 'half' }),
    };
    const url = base + pathOf(path, params) + queryOf(query);

    const attempt = async (): Promise<unknown> => {
      if (isRead && bookmark !== '') headers.set('Rollcall-Bookmark', bookmark);
      const timer = new AbortController();
      const late = setTimeout(
        () => timer.abort(new DOMException(`No answer within ${timeoutMs} ms.`, 'TimeoutError')),
        // The longest that timers know.
        Math.min(timeoutMs, 2 ** 31 - 1),
      );
      try {
        const answer = await fetchIt(url, {
          ...init,
          signal: signal ? AbortSignal.any([signal, timer.signal]) : timer.signal,
        });
        bookmark = laterOf(bookmark, answer.headers.get('Rollcall-Bookmark'));
        if (!answer.ok) throw await errorOf(answer);
        if (answer.status === 204) return undefined;
        // Whoever reads a download or a stream takes as long as that takes.
        if (DOWNLOAD.test(answer.headers.get('Content-Type') ?? '')) return answer;
        const read: unknown = await answer.json();
        const tag = /\d+/.exec(answer.headers.get('ETag') ?? '')?.[0];
        if (tag !== undefined && typeof read === 'object' && read !== null) versions.set(read, Number(tag));
        return read;
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof Problem || error instanceof Unreachable) throw error;
        const cause = timer.signal.aborted ? timer.signal.reason : error;
        throw new Unreachable(timer.signal.aborted ? cause.message : 'The service could not be reached.', {
          cause,
        });
      } finally {
        clearTimeout(late);
      }
    };

    const isSigned = headers.has('Authorization');
    let bearer = isSigned ? undefined : typeof token === 'function' ? await (refreshing ?? token()) : token;
    let mayRefresh = !isSigned && typeof token === 'function' && isReplayable;
    for (let failures = 0; ; ) {
      signal?.throwIfAborted();
      if (bearer !== undefined) headers.set('Authorization', `Bearer ${bearer}`);
      try {
        return await attempt();
      } catch (error) {
        if (mayRefresh && error instanceof Problem && error.status === 401) {
          mayRefresh = false;
          const fresh = await refresh(bearer);
          if (fresh !== undefined && fresh !== bearer) {
            bearer = fresh;
            continue;
          }
        }
        const waitMs = waitBefore(error, failures++, isSafe ? retries : 0);
        if (waitMs === undefined) throw error;
        await pause(waitMs, signal);
      }
    }
  };
}

function isBinary(body: unknown): boolean {
  return body instanceof Blob || body instanceof Uint8Array || body instanceof ReadableStream;
}

function typeOf(body: unknown, isRaw: boolean): string {
  if (!isRaw) return 'application/json';
  return (body instanceof Blob && body.type) || 'application/x-ndjson';
}

function asksForDryRun(query: object | undefined): boolean {
  return query !== undefined && 'dryRun' in query && `${query.dryRun}` === 'true';
}

/** Not `randomUUID`, which browsers have for pages over HTTPS alone. */
function randomKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(36)).join('');
}

/** The later of two bookmarks; those of different epochs cannot be compared. */
function laterOf(known: string, given: string | null): string {
  if (!given) return known;
  const [[epoch, at = ''], [otherEpoch, other = '']] = [known.split('-'), given.split('-')];
  return epoch === otherEpoch && (at.length > other.length || (at.length === other.length && at > other))
    ? known
    : given;
}

/** A path with its parameters filled in. */
function pathOf(path: string, params: Readonly<Record<string, unknown>> = {}): string {
  return path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(`${params[name] ?? ''}`));
}

/** A query with its question mark; empty where there are no values. */
export function queryOf(query: object = {}): string {
  const given = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, value instanceof Date ? value.toISOString() : `${value}`]],
  );
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}
