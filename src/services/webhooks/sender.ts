import type { Dispatcher } from 'undici';
import { publicOnly, refusePrivate } from '../../security/public-address.ts';
import { type ProxySettings, usesProxy, webClient } from '../../security/web-client.ts';
import type { Message } from './message.ts';

/** A receiver's answer, or why there is none. */
export type Answer = { readonly status: number; readonly retryAfter?: string } | { readonly reason: string };

/** What is sent. */
type Request = ({ readonly method: 'POST' } & Message) | { readonly method: 'HEAD' };

/** How to send. */
export interface SendOptions {
  readonly allowPrivate: boolean;
  readonly proxy: ProxySettings;
  /** The most milliseconds of a whole exchange. */
  readonly timeoutMs: number;
}

/** How much of an answer's body is read, so that the connection can be reused; only the status counts. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** The codes of errors of a connection that the other side has closed. */
const CLOSED = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/** Sends messages to one URL, one after the other, over a kept-alive connection. */
export class Sender {
  readonly #url: URL;
  readonly #options: SendOptions;
  #client: Promise<Dispatcher> | undefined;
  /** Whether the connection has served a message. */
  #isUsed = false;

  constructor(url: string, options: SendOptions) {
    this.#url = new URL(url);
    this.#options = options;
  }

  /**
   * Sends one message without following redirects. Throws when `signal` aborts, which abandons the exchange; every other
   * failure is in the answer.
   */
  send(message: Message, signal: AbortSignal): Promise<Answer> {
    return this.#exchange({ method: 'POST', ...message }, signal);
  }

  /** Asks for the headers of the URL (`HEAD`), which delivers nothing, in the same way as {@link send}. */
  probe(signal: AbortSignal): Promise<Answer> {
    return this.#exchange({ method: 'HEAD' }, signal);
  }

  async #exchange(request: Request, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    // By hand: Node keeps the signals that it derives and times until each deadline has passed.
    const exchange = new AbortController();
    const end = () => exchange.abort();
    const deadline = setTimeout(end, this.#options.timeoutMs);
    signal.addEventListener('abort', end);
    try {
      const { statusCode: status, headers, body } = await this.#request(request, exchange.signal);
      // Cut off or timed out: the status has arrived.
      await body.dump({ limit: MAX_ANSWER_BYTES, signal: exchange.signal }).catch(() => undefined);
      this.#isUsed = true;
      const [retryAfter] = [headers['retry-after']].flat();
      return { status, ...(retryAfter !== undefined && { retryAfter }) };
    } catch (error) {
      signal.throwIfAborted();
      if (exchange.signal.aborted) return { reason: `no answer within ${this.#options.timeoutMs} ms` };
      // When several addresses all fail, the error has no message.
      const { message, code = '' } = error as NodeJS.ErrnoException;
      return { reason: message || code };
    } finally {
      clearTimeout(deadline);
      signal.removeEventListener('abort', end);
    }
  }

  async #request(request: Request, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    this.#client ??= this.#connect();
    const client = await this.#client;
    const { allowPrivate, proxy } = this.#options;
    // For each message: the proxy looks the name up itself, so no connection of ours is bound to what we saw.
    if (!allowPrivate && usesProxy(proxy)) await refusePrivate(this.#url);
    const { origin, pathname, search } = this.#url;
    // The signal is the deadline.
    const limits = { signal, headersTimeout: 0, bodyTimeout: 0 };
    try {
      return await client.request({ origin, path: pathname + search, ...request, ...limits });
    } catch (error) {
      // The receiver may have closed the idle connection: that is no failure of the message.
      if (this.#isUsed && CLOSED.has((error as NodeJS.ErrnoException).code ?? '')) {
        this.#isUsed = false;
        return this.#request(request, signal);
      }
      throw error;
    }
  }

  /** The connection; without a proxy, it leads to no private address. */
  async #connect(): Promise<Dispatcher> {
    const { allowPrivate, proxy } = this.#options;
    return webClient(proxy, { connections: 1, ...(!allowPrivate && { connect: publicOnly(this.#url) }) });
  }

  /** Closes the connection. */
  close(): void {
    this.#client?.then((client) => client.destroy()).catch(() => undefined);
  }
}
