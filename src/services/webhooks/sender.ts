import { once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import { publicOnly } from '../../security/public-address.ts';
import type { Message } from './message.ts';

/** A receiver's answer, or why there is none. */
export type Answer = { readonly status: number; readonly retryAfter?: string } | { readonly reason: string };

/** How to send. */
export interface SendOptions {
  readonly allowPrivate: boolean;
  /** The most milliseconds of a whole exchange. */
  readonly timeoutMs: number;
}

/** How much of an answer's body is read, so that the connection can be reused; only the status counts. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** Sends messages to one URL, one after the other, over a kept-alive connection. */
export class Sender {
  readonly #url: URL;
  readonly #options: SendOptions;
  readonly #client: typeof http | typeof https;
  readonly #agent: http.Agent;

  constructor(url: string, options: SendOptions) {
    this.#url = new URL(url);
    this.#options = options;
    this.#client = this.#url.protocol === 'https:' ? https : http;
    this.#agent = new this.#client.Agent({ keepAlive: true, maxSockets: 1 });
  }

  /**
   * Sends one message without following redirects. Throws when `signal` aborts, which abandons the exchange; every other
   * failure is in the answer.
   */
  async send(message: Message, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    // By hand: Node keeps the signals that it derives and times until each deadline has passed.
    const exchange = new AbortController();
    const end = () => exchange.abort();
    const deadline = setTimeout(end, this.#options.timeoutMs);
    signal.addEventListener('abort', end);
    try {
      const response = await this.#post(message, exchange.signal);
      const { statusCode: status = 0, headers } = response;
      await discard(response);
      const { 'retry-after': retryAfter } = headers;
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

  async #post(message: Message, signal: AbortSignal): Promise<http.IncomingMessage> {
    const { headers, body } = message;
    const request = this.#client.request(this.#url, {
      ...(this.#options.allowPrivate ? {} : publicOnly(this.#url)),
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      agent: this.#agent,
      signal,
    });
    const answered = once(request, 'response');
    // The connection may break after the answer.
    request.on('error', () => undefined);
    request.end(body);
    try {
      const [response] = await answered;
      return response;
    } catch (error) {
      // The receiver may have closed the idle connection: that is no failure of the message.
      if (request.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET') {
        return this.#post(message, signal);
      }
      throw error;
    }
  }

  /** Closes the connection. */
  close(): void {
    this.#agent.destroy();
  }
}

async function discard(response: http.IncomingMessage): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of response) {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) break;
    }
  } catch {
    // Cut off or timed out: the status has arrived.
  }
}
