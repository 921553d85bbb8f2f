import type { Call } from './client.ts';

/** What became of a request. Unknown: it may have been committed, as nobody has heard, or was told so by a 5xx. */
export type Outcome = 'acknowledged' | 'refused' | 'unknown';

/** What a request writes into an account, if it is a write. */
export type Action = 'created' | 'updated' | 'deleted';

/** A request on the client's side: written down before it is sent, and when it is answered. */
export interface Entry {
  /** Its `X-Request-Id`, under which the history has what it wrote. */
  readonly id: string;
  /** The number of the phase in which it was sent. */
  readonly phase: number;
  /** The number of the replica that it was sent to. */
  readonly replica: number;
  /** What it writes; `undefined` for a read. */
  readonly action: Action | undefined;
  /** Its `Idempotency-Key`, if it has one: the id of the first request that was sent with it. */
  readonly key: string | undefined;
  /** What the values that it writes contain, if it writes any: the key, or else its id. */
  readonly mark: string | undefined;
  /** When it was sent and answered, by the client's one monotonic clock, in milliseconds; `Infinity` without an answer. */
  readonly began: number;
  ended: number;
  outcome: Outcome;
  status: number;
  /** The account and its version that the answer shows, where it does. */
  userId?: number;
  version?: number;
}

/** Every request of a run. */
export class Ledger {
  readonly entries: Entry[] = [];
  /** The number of the present phase. */
  phase = 0;
  readonly #prefix: string;
  #healed = Number.POSITIVE_INFINITY;
  #recoveries = new Map<number, number>();

  /** `prefix` begins the ids of its requests. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Writes down a request that is about to be sent. `sent` is the request that it repeats. */
  begin(
    replica: number,
    { action, body, isKeyed }: Pick<Call, 'action' | 'body' | 'isKeyed'>,
    sent?: Entry,
  ): Entry {
    const id = `${this.#prefix}.${this.entries.length}`;
    const key = isKeyed ? (sent?.key ?? id) : undefined;
    const entry: Entry = {
      id,
      key,
      phase: this.phase,
      replica,
      action,
      mark: body && (key ?? id),
      began: performance.now(),
      ended: Number.POSITIVE_INFINITY,
      outcome: 'unknown',
      status: 0,
    };
    this.entries.push(entry);
    return entry;
  }

  /** Writes down what became of it. */
  end(entry: Entry, outcome: Outcome, status: number): void {
    entry.outcome = outcome;
    entry.status = status;
    // Whoever hears nothing does not know when it happens.
    if (outcome !== 'unknown') entry.ended = performance.now();
    const { replica, began, ended, action } = entry;
    if (outcome !== 'acknowledged' || action === undefined || began < this.#healed) return;
    if (!this.#recoveries.has(replica)) this.#recoveries.set(replica, ended - this.#healed);
  }

  /** Measures the time to recovery from now on. */
  heal(): void {
    this.#healed = performance.now();
    this.#recoveries = new Map();
  }

  /** By replica, the milliseconds from {@link heal} to the first acknowledged write that was sent after it. */
  get recoveries(): ReadonlyMap<number, number> {
    return this.#recoveries;
  }
}
