import { setTimeout as pause } from 'node:timers/promises';
import { Agent, type Dispatcher, request } from 'undici';
import { signHs256 } from '../../src/security/hmac.ts';
import { SECRET } from '../support/app.ts';
import type { Action, Entry, Ledger, Outcome } from './ledger.ts';

/** How often a request with a key is sent again, and the pause before, in milliseconds. */
const MAX_REPEATS = 20;
const REPEAT_MS = 250;

/** Longer than the service takes for any request. */
const PATIENCE_MS = 30_000;

/** A request to any replica. */
export interface Call {
  readonly method: Dispatcher.HttpMethod;
  readonly path: string;
  /** The email of the account that sends it. */
  readonly as: string;
  /** The number of the only replica that it is sent to. Default: the next one that is there. */
  readonly replica?: number;
  readonly headers?: Record<string, string>;
  /** What it writes. Default: nothing. */
  readonly action?: Action;
  /** The body, which contains the mark of the request. */
  readonly body?: (mark: string) => object;
  /** Whether it has an `Idempotency-Key`, with which it is sent again until somebody knows what became of it. */
  readonly isKeyed?: boolean;
}

/** An answer that arrived whole. */
export interface Answer {
  readonly entry: Entry;
  readonly status: number;
  readonly body: Record<string, unknown>;
  /** The version of the account in its `ETag`. */
  readonly version: number | undefined;
}

/** Sends requests to the replicas in turn, writes each into the ledger, and tries the next one when one is gone. */
export class Client {
  readonly #agent = new Agent({
    headersTimeout: PATIENCE_MS,
    bodyTimeout: PATIENCE_MS,
    connect: { timeout: 5_000 },
  });
  readonly #tokens = new Map<string, Promise<string>>();
  readonly #ledger: Ledger;
  readonly #urls: readonly string[];
  #turn = 0;

  constructor(ledger: Ledger, urls: readonly string[]) {
    this.#ledger = ledger;
    this.#urls = urls;
  }

  /** The headers of an account. */
  async headersOf(email: string): Promise<{ Authorization: string }> {
    const token = this.#tokens.get(email) ?? signHs256(SECRET, email, '30 days');
    this.#tokens.set(email, token);
    return { Authorization: `Bearer ${await token}` };
  }

  /** The URL of the next replica. */
  next(): string {
    return this.#urls[++this.#turn % this.#urls.length] ?? '';
  }

  /** Sends a request, one with a key again and again. Resolves with `undefined` if none of the replicas gave an answer. */
  async send(call: Call): Promise<Answer | undefined> {
    let { answer, entry } = await this.#ask(call);
    for (let repeats = 0; call.isKeyed && isOpen(entry) && repeats < MAX_REPEATS; repeats++) {
      await pause(REPEAT_MS);
      ({ answer, entry } = await this.#ask(call, entry));
    }
    return answer;
  }

  /** Sends it once, to the next replica that is there. */
  async #ask(call: Call, sent?: Entry): Promise<{ answer: Answer | undefined; entry: Entry }> {
    const headers = await this.headersOf(call.as);
    for (let tries = 1; ; tries++) {
      const replica = call.replica ?? ++this.#turn % this.#urls.length;
      const entry = this.#ledger.begin(replica, call, sent);
      const answer = await this.#attempt(`${this.#urls[replica]}`, call, entry, headers);
      if (answer !== 'gone') return { answer, entry };
      if (call.replica === undefined && tries < this.#urls.length) continue;
      // All are gone.
      await pause(100);
      return { answer: undefined, entry };
    }
  }

  /** Breaks all connections. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #attempt(url: string, call: Call, entry: Entry, headers: Record<string, string>) {
    const { method, path, body } = call;
    try {
      const response = await request(url + path, {
        dispatcher: this.#agent,
        method,
        headers: {
          ...headers,
          'X-Request-Id': entry.id,
          ...(body && { 'Content-Type': 'application/json' }),
          ...(entry.key !== undefined && { 'Idempotency-Key': `"${entry.key}"` }),
          ...call.headers,
        },
        ...(body && { body: JSON.stringify(body(`${entry.mark}`)) }),
      });
      const text = await response.body.text();
      const parsed = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
      const status = response.statusCode;
      this.#ledger.end(entry, outcomeOf(status, parsed['code']), status);
      const [, version] = /^"(\d+)"$/.exec(`${response.headers['etag']}`) ?? [];
      return { entry, status, body: parsed, version: version === undefined ? undefined : Number(version) };
    } catch (error) {
      // A connection that was refused has carried nothing.
      const isGone = (error as { code?: string }).code === 'ECONNREFUSED';
      this.#ledger.end(entry, isGone ? 'refused' : 'unknown', 0);
      return isGone ? 'gone' : undefined;
    }
  }
}

/** Whether it is worth sending again: nobody knows what became of it, it was never begun, or the first one still runs. */
function isOpen({ outcome, status }: Entry): boolean {
  return outcome === 'unknown' || status === 0 || status === 503 || status === 409;
}

/** Nothing has been done for a request that was refused for an overload (docs/operations.md, "Overload"). */
function outcomeOf(status: number, code: unknown): Outcome {
  if (status < 300) return 'acknowledged';
  return status < 500 || code === 'overloaded' ? 'refused' : 'unknown';
}
