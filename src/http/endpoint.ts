import { z } from 'zod';
import type { ErrorCode } from '../domain/errors.ts';
import type { Scope } from '../domain/service-token.ts';
import type { User } from '../domain/user.ts';
import type { Unit } from '../store/unit.ts';
import type { DoorCode } from './answer/problem.ts';
import { flag } from './schemas/flag.ts';

/** Who may ask: anyone, whoever has an account, or admins. */
export type Access = 'public' | 'account' | 'admin';

/** What the body of a request may be. */
export interface BodyDescription<Body extends z.ZodType = z.ZodType> {
  readonly schema: Body;
  /** The media types that it is taken as. */
  readonly types: readonly string[];
}

/** A body that is read as it comes, however long; what is wrong in it is the handler's business. */
export interface UploadDescription {
  /** The media types that it is taken as. */
  readonly types: readonly string[];
  readonly description: string;
  /** By media type. */
  readonly examples: Readonly<Record<string, string>>;
}

/** Such a body; it can be read once, so its unit of work is never replayed. */
export interface Upload {
  /** Which of the media types it is. */
  readonly type: string;
  /** Throws `request_aborted` when the caller hangs up half-way. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** What a handler is given, all of it checked. It changes entities and returns a result; it never flushes. */
export interface EndpointRequest<Params, Query, Body, Actor> extends Unit {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** Empty, where the endpoint takes none. */
  readonly upload: Upload;
  readonly actor: Actor;
  /** Which of these media types the caller would rather have (`Accept`); the first, if in doubt. Throws `not_acceptable`. */
  accept(types: readonly string[]): string;
  /** Aborts when the caller hangs up, and when all of the answer is sent. */
  readonly closed: AbortSignal;
  /** The `Last-Event-ID` of a caller who comes again for the rest of an event stream; empty, if there is none. */
  readonly lastEventId: string;
  /**
   * Holds the request's `If-Match` against an entity that it is about to change (RFC 9110, section 13.1.1).
   * Throws `precondition_failed`.
   */
  matchPrecondition(entity: Versioned): void;
}

/** What has versions, and with them entity tags. */
export interface Versioned {
  readonly version: number;
}

/**
 * One endpoint, as data: the router and the OpenAPI document are both made of it, so they cannot disagree.
 */
export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With parameters as `:name`. */
  readonly path: string;
  readonly access: Access;
  /** What a service token needs to have for it; without, it is for people alone. */
  readonly scope?: Scope;
  readonly summary: string;
  readonly params?: z.ZodType;
  readonly query?: z.ZodObject;
  readonly body?: BodyDescription;
  /** In the place of a body. */
  readonly upload?: UploadDescription;
  readonly answer: Answer;
  /** What it refuses beside what its access, parameters, query and body refuse by themselves. */
  readonly refusals: readonly (ErrorCode | DoorCode)[];
  /** Whether it changes something that has a version, and so heeds `If-Match`. */
  readonly heedsIfMatch: boolean;
  /** Whether a dry run is answered with its result, too, and not with the changes alone. */
  readonly rehearsesResult?: boolean;
  /** Whether it is also to be had as server-sent events that can be resumed, and so heeds `Last-Event-ID`. */
  readonly heedsLastEventId?: boolean;
  /** Does the work, and returns how to show its result once that is committed. */
  readonly run: (request: EndpointRequest<unknown, unknown, unknown, User | undefined>) => Promise<Shown>;
}

/** What an answer looks like when all went well. */
export interface Answer {
  readonly status: 200 | 201 | 204;
  readonly description: string;
  readonly schema?: z.ZodType;
  /** For what is no JSON of ours; where it is one of several, the `Content-Type` among its headers says which. */
  readonly type?: string | readonly string[];
  /** What its headers say, for the document. With an `ETag` among them, a GET also knows `If-None-Match`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** How to show a result (text and streams as they are, all else as JSON); to be called after the flush, so that what is shown is what is kept. */
export type Shown = () => { readonly body: unknown; readonly headers: Readonly<Record<string, string>> };

interface Description<
  A extends Access,
  Params extends z.ZodType,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Outcome,
> {
  method: Endpoint['method'];
  path: string;
  access: A;
  scope?: A extends 'admin' ? Scope : never;
  summary: string;
  params?: Params;
  query?: Query;
  body?: BodyDescription<Body>;
  upload?: UploadDescription;
  answer: Answer;
  refusals?: Endpoint['refusals'];
  heedsIfMatch?: boolean;
  rehearsesResult?: boolean;
  heedsLastEventId?: boolean;
  /** Does the work. */
  handle: (
    request: EndpointRequest<
      z.output<Params>,
      z.output<Query>,
      z.output<Body>,
      A extends 'public' ? undefined : A extends 'account' ? User : User | undefined
    >,
  ) => Promise<Outcome> | Outcome;
  /** What leaves: an allow-list, as JSON. Nothing, for an answer without a body. */
  view?: (outcome: Outcome) => unknown;
  /** The headers that come with it. */
  headers?: (outcome: Outcome) => Record<string, string>;
}

const dryRun = flag(
  'Do everything, guards included, answer what would be written to the history, and take it back; but for an account that is made on the way in, which stays.',
);

/** Whether it writes; then it can be asked what it would do to accounts (`dryRun=true`), if it is anything. */
export function isWrite({ method, access }: Pick<Endpoint, 'method' | 'access'>): boolean {
  return method !== 'GET' && access !== 'public';
}

/** Whether a checked query asks for that. */
export function asksForDryRun(query: unknown): boolean {
  return typeof query === 'object' && query !== null && 'dryRun' in query && query.dryRun === true;
}

/** Describes an endpoint; the types see to it that its schemas, its handler and its view fit each other. */
export function endpoint<
  A extends Access,
  Outcome,
  Params extends z.ZodType = z.ZodUndefined,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodUndefined,
>(description: Description<A, Params, Query, Body, Outcome>): Endpoint {
  const { handle, view, headers, query, refusals = [], heedsIfMatch = false, ...rest } = description;
  const takes = isWrite(rest) ? (query ?? z.strictObject({})).extend({ dryRun }) : query;
  return {
    ...rest,
    ...(takes && { query: takes }),
    refusals,
    heedsIfMatch,
    run: async (request) => {
      const outcome = await handle(request as Parameters<typeof handle>[0]);
      return () => ({ body: view?.(outcome), headers: headers?.(outcome) ?? {} });
    },
  };
}
