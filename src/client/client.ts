import { type ChangesOptions, follow } from './changes.ts';
import { List, type Page } from './list.ts';
import { OPERATIONS } from './operations.ts';
import { isProblem } from './problem.ts';
import { backoff, pause } from './retry.ts';
import type { Operations, Routes } from './routes.ts';
import { type AnyRequest, type ClientOptions, createSend, type Send, versionOf } from './send.ts';
import type { CallOptions, DryRunsOf, ItemOf, Query, Upload } from './typed-operations.ts';

/** The name of an endpoint by its method and path: `GET /v1/users/:id`. */
export type RouteName = keyof Routes;

/** What an endpoint answers. A GET that answers with something else than JSON is a download. */
export type Answered<Name extends RouteName> = undefined extends Routes[Name]['answer']
  ? Name extends `GET ${string}`
    ? Response
    : undefined
  : Routes[Name]['answer'];

/** The query of an endpoint; values that are `undefined` are left out. Every write can be tried out: a dry run. */
export type QueryOf<Name extends RouteName> = Given<Routes[Name]['query']> &
  (Name extends `GET ${string}` ? unknown : { dryRun?: boolean | 'true' | undefined });

/** Named values, each of which may be `undefined`; none where there are no names. */
type Given<Values> = string extends keyof Values ? unknown : Query<Values>;

type Needs<Key extends string, Value> = undefined extends Value
  ? { [K in Key]?: Value }
  : { [K in Key]: Value };

/** What a request is made of. */
export type RequestOf<Name extends RouteName> = Needs<'params', Routes[Name]['params']> &
  Needs<'body', Name extends 'POST /v1/users/import' ? Upload : Routes[Name]['body']> &
  CallOptions & {
    readonly query?: QueryOf<Name>;
    /** The version of the account that the change is based on: `precondition_failed` after another change. */
    readonly version?: number;
    /** Makes it safe to send the request again: the same key is carried out once. Default: a new one where a retry may follow. */
    readonly idempotencyKey?: string;
    /** Why: the history keeps it. */
    readonly reason?: string;
    /** The media type of the body. */
    readonly type?: string;
  };

/** Calls an endpoint by its method and path. */
export type Call = <Name extends RouteName>(name: Name, request?: RequestOf<Name>) => Promise<Answered<Name>>;

/** A change of an account, as the history has it. */
export type Change = ItemOf<Answered<'GET /v1/history'>>;

/** An account. */
export type Account = Answered<'GET /v1/me'>;

/** A change in the feed, with its position. */
export type FeedEntry = ItemOf<Answered<'GET /v1/changes'>>;

/** What a dry run answers: the changes that would have been recorded. */
export interface DryRun {
  readonly changes: readonly Omit<Change, 'id'>[];
}

/** A client of the service: every endpoint by its name. */
export interface Client extends Omit<Operations, 'changes'> {
  /**
   * Follows the change feed as it grows: each change once, in order, across lost connections. Ends when the signal aborts, by throwing its
   * reason. Throws the problem `cursor_outdated` where the database may have lost changes: read all accounts again then. `list` reads what
   * there is, page by page.
   */
  readonly changes: ((options?: ChangesOptions) => AsyncGenerator<FeedEntry, never, undefined>) &
    Operations['changes'];
  /** Every write by its name, tried out: it answers with the changes that it would record, and writes nothing. */
  readonly dryRun: DryRunsOf<Operations, DryRun>;
  /** Calls an endpoint by its method and path. */
  readonly call: Call;
}

/** How often a change by a function is repeated because another change came in between. */
const EDITS = 5;

/**
 * Creates a client. Its calls throw a {@link Problem} for a refusal, {@link Unreachable} where the service does not answer, and the signal's
 * reason once that aborts.
 */
export function createClient(options: ClientOptions = {}): Client {
  const send = createSend(options);
  const operations = tree(OPERATIONS, send, false) as unknown as Operations;
  return {
    ...operations,
    changes: Object.assign((options?: ChangesOptions) => follow(send, options), operations.changes),
    dryRun: tree(OPERATIONS, send, true) as unknown as DryRunsOf<Operations, DryRun>,
    call: send as unknown as Call,
  };
}

interface Entries {
  readonly [name: string]: string | Entries;
}

function tree(entries: Entries, send: Send, isDryRun: boolean): object {
  return Object.fromEntries(
    Object.entries(entries).map(([name, entry]) => [
      name,
      typeof entry === 'string' ? operation(entry, send, isDryRun) : tree(entry, send, isDryRun),
    ]),
  );
}

function operation(entry: string, send: Send, isDryRun: boolean) {
  const [method = '', path = '', takes] = entry.split(' ');
  const name = `${method} ${path}`;
  const names = path.match(/(?<=:)\w+/g) ?? [];
  return (...args: unknown[]) => {
    const ids = names.map(() => args.shift());
    const input = takes === undefined || takes === 'items' ? undefined : args.shift();
    const request: AnyRequest = {
      ...(args[0] as AnyRequest | undefined),
      params: Object.fromEntries(names.map((name, index) => [name, idOf(ids[index])])),
    };
    if (takes === 'list' || takes === 'items') {
      // A cursor of the feed is a position that stays, and so has another name.
      const at = path === '/v1/changes' ? 'after' : 'cursor';
      return new List(
        (cursor) =>
          send(name, {
            ...request,
            query: { ...(input as object), ...(cursor && { [at]: cursor }) },
          }) as Promise<Page<unknown>>,
      );
    }
    if (method === 'GET') return send(name, { ...request, query: input as object | undefined });
    const write = { ...request, query: { ...request.query, ...(isDryRun && { dryRun: true }) } };
    const read = method === 'POST' ? undefined : ids.at(-1);
    if (typeof input === 'function') return edit(send, name, write, read, input as Edit);
    return send(name, { ...write, body: input, version: request.version ?? versionOf(read) });
  };
}

type Edit = (current: unknown) => unknown;

/** Writes what `change` makes of what is there, and again where that has changed meanwhile. */
async function edit(send: Send, name: string, write: AnyRequest, read: unknown, change: Edit) {
  const { params, headers, signal, timeoutMs, retries } = write;
  const reread = () =>
    send(name.replace(/^\w+/, 'GET'), { params, headers, signal, timeoutMs, retries } as AnyRequest);
  for (let attempt = 1, current = typeof read === 'object' ? read : await reread(); ; attempt++) {
    const body = await change(current);
    if (body === undefined) return current;
    try {
      return await send(name, { ...write, body, version: versionOf(current) });
    } catch (error) {
      if (!isProblem(error, 'precondition_failed') || attempt === EDITS) throw error;
      await pause(backoff(attempt, 10), signal);
      current = await reread();
    }
  }
}

function idOf(given: unknown): unknown {
  return typeof given === 'object' && given !== null && 'id' in given ? given.id : given;
}
