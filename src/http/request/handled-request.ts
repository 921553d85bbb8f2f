import { Readable } from 'node:stream';
import type { Scope } from '../../domain/service-token.ts';
import { sees } from '../../services/access/service-token-look-up.ts';
import type { Reader } from '../../store/replicas/reader.ts';
import type { RequestContext } from '../context.ts';
import type { AnyRequest, ChangeRequest, Upload } from '../endpoint.ts';
import { accept, acceptsGzip } from './accept.ts';
import type { BrowserReader } from './browser.ts';

/** A request as an endpoint gets it. Few endpoints need all of it, so most of it is computed on access. */
export class HandledRequest implements ChangeRequest<AnyRequest, object | undefined> {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  entity: object | undefined;
  readonly #ctx: RequestContext;
  readonly #readerOf: (ctx: RequestContext) => Reader;
  readonly #browserOf: BrowserReader;

  constructor(
    ctx: RequestContext,
    { params, query, body }: Pick<AnyRequest, 'params' | 'query' | 'body'>,
    readerOf: (ctx: RequestContext) => Reader,
    browserOf: BrowserReader,
  ) {
    this.#ctx = ctx;
    this.params = params;
    this.query = query;
    this.body = body;
    this.#readerOf = readerOf;
    this.#browserOf = browserOf;
  }

  get reader() {
    return this.#readerOf(this.#ctx);
  }

  get unit() {
    return this.#ctx.state.unit;
  }

  get actor() {
    return this.#ctx.state.actor;
  }

  get session() {
    return this.#ctx.state.session;
  }

  get browser() {
    return this.#browserOf(this.#ctx);
  }

  get upload(): Upload {
    return this.#ctx.state.upload ?? NO_UPLOAD;
  }

  get sees() {
    const { service } = this.#ctx.state;
    return (scope: Scope) => sees(service, scope);
  }

  get accept() {
    return (types: readonly string[]) => accept(this.#ctx, types);
  }

  get acceptsGzip() {
    return acceptsGzip(this.#ctx);
  }

  get closed() {
    return closingOf(this.#ctx);
  }

  get standAside() {
    const { place } = this.#ctx.state;
    return <T>(wait: () => Promise<T>) => (place ? place.standAside(wait) : wait());
  }

  get lastEventId() {
    return this.#ctx.get('Last-Event-ID');
  }
}

const NO_UPLOAD: Upload = { type: '', charset: '', bytes: Readable.from([]), requireCaller: () => undefined };

function closingOf({ res }: RequestContext): AbortSignal {
  const closing = new AbortController();
  if (res.closed) closing.abort();
  else res.once('close', () => closing.abort());
  return closing.signal;
}
