import type { List } from './list.ts';
import type { OPERATIONS } from './operations.ts';

/** The types of endpoints by their methods and paths. */
export type AnyRoutes = Readonly<Record<string, AnyRoute>>;

interface AnyRoute {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly answer: unknown;
}

/** What names an account or another thing: its id, or itself as it was read. With its version, a write is refused after a change by others. */
export type Id = number | string | { readonly id: number; readonly version?: number };

/** What every call takes. */
export interface CallOptions {
  /** Aborts the call, which then throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** In place of the client's. */
  readonly timeoutMs?: number;
  /** In place of the client's. */
  readonly retries?: number;
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What every write takes. */
export interface WriteOptions extends CallOptions {
  /** Why: the history keeps it. */
  readonly reason?: string;
  /** The version that the change is based on: `precondition_failed` after another change. */
  readonly version?: number;
  /** In place of one that the client makes: a key of your own lets you send a write again after a crash. */
  readonly idempotencyKey?: string;
}

/** What a write with a query takes. */
export interface WriteQueryOptions<Query> extends WriteOptions {
  readonly query?: Query;
}

/** What is uploaded. What is read once, such as a stream, is sent once. */
export type Upload = string | Blob | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;

/** What an upload takes. */
export interface UploadOptions<Query> extends WriteQueryOptions<Query> {
  /** Its media type. Default: that of a `Blob`, and otherwise `application/x-ndjson`. */
  readonly type?: string;
}

/**
 * A merge patch (RFC 7396), or a function that makes it of what is there now. The function runs again where another change came in
 * between; where it returns `undefined`, nothing is written.
 */
export type Patch<Body, Current> =
  | Body
  | ((current: Current) => Body | undefined | Promise<Body | undefined>);

/** A query; values that are `undefined` are left out. */
export type Query<Values> = { readonly [Name in keyof Values]?: Values[Name] | undefined };

/** Every endpoint by its name. */
export type OperationsOf<Routes> = OperationTree<typeof OPERATIONS, Routes>;

/** Every write by its name, tried out. */
export type DryRunsOf<Operations, Run> = {
  readonly [Name in keyof Operations as Operations[Name] extends (...args: never) => unknown
    ? Name extends 'list' | 'get' | 'export'
      ? never
      : Name
    : Name]: Operations[Name] extends (...args: infer Args) => unknown
    ? (...args: Args) => Promise<Run>
    : DryRunsOf<Operations[Name], Run>;
};

type OperationTree<Tree, Routes> = {
  readonly [Name in keyof Tree]: Tree[Name] extends string
    ? Operation<Tree[Name], Routes>
    : OperationTree<Tree[Name], Routes>;
};

type Operation<Entry extends string, Routes> = Entry extends `${infer Method} ${infer Path} ${infer Takes}`
  ? Call<Method, Path, Takes, Routes>
  : Entry extends `${infer Method} ${infer Path}`
    ? Call<Method, Path, 'nothing', Routes>
    : never;

type Call<Method extends string, Path extends string, Takes, Routes> =
  RouteOf<`${Method} ${Path}`, Routes> extends infer Route extends AnyRoute
    ? (
        ...args: [
          ...ids: IdsOf<Path, Method extends 'PATCH' | 'PUT' ? AnswerOf<`GET ${Path}`, Routes> : never>,
          ...given: Given<Method, Takes, Route, AnswerOf<`GET ${Path}`, Routes>>,
        ]
      ) => Takes extends 'list' | 'items'
        ? List<ItemOf<Route['answer']>, Route['answer']>
        : Promise<Result<Method, Route>>
    : never;

type RouteOf<Name, Routes> = Name extends keyof Routes ? Routes[Name] : never;
type AnswerOf<Name, Routes> = Name extends keyof Routes
  ? Routes[Name] extends AnyRoute
    ? Routes[Name]['answer']
    : never
  : never;

/** A GET that answers with something else than JSON is a download. */
type Result<Method, Route extends AnyRoute> = undefined extends Route['answer']
  ? Method extends 'GET'
    ? Response
    : undefined
  : Route['answer'];

/** What is in a page. */
export type ItemOf<Page> = Page extends { readonly items: readonly (infer Item)[] } ? Item : never;

type IdsOf<Path extends string, Current> = Path extends `${string}/:${infer Rest}`
  ? [id: [Current] extends [never] ? Id : number | string | Current, ...IdsOf<Rest, Current>]
  : [];

type Given<Method, Takes, Route extends AnyRoute, Current> = Method extends 'GET'
  ? Takes extends 'query' | 'list'
    ? [query?: Query<Route['query']> | undefined, options?: CallOptions | undefined]
    : [options?: CallOptions | undefined]
  : Takes extends 'upload'
    ? [body: Upload, options?: UploadOptions<Query<Route['query']>> | undefined]
    : Takes extends 'body'
      ? [
          body: Method extends 'PATCH' | 'PUT' ? Patch<Route['body'], Current> : Route['body'],
          options?: WriteOptions | undefined,
        ]
      : [
          options?:
            | (keyof Route['query'] extends never ? WriteOptions : WriteQueryOptions<Query<Route['query']>>)
            | undefined,
        ];
