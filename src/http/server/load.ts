/** Leaves the place of a request; call it once. */
export type Leave = () => void;

/** What bounds the requests of a process. */
export interface LoadLimits {
  /** How many are worked on at once. */
  readonly places: number;
  /** How many more urgent ones are, beyond those. */
  readonly urgentPlaces: number;
  /** How many wait for a place. */
  readonly waiting: number;
  /** How long one waits at most, in milliseconds. */
  readonly patienceMs: number;
  /** From which wait on the newest goes first, in milliseconds. */
  readonly targetMs: number;
}

/**
 * The limits of a process with this many database connections. Most of a request's time is spent waiting for the database, where
 * requests of the same moment share statements: twice as many places did not answer more of them.
 */
export function loadLimits(poolMax: number): LoadLimits {
  return {
    places: Math.max(64, 4 * poolMax),
    urgentPlaces: 16,
    waiting: 1_000,
    patienceMs: 500,
    targetMs: 50,
  };
}

/** Callbacks of a load. */
export interface LoadEvents {
  /** Requests are refused from now on. */
  readonly onOverload: () => void;
  /** No request was refused for a while; `refused` is how many were. */
  readonly onRelief: (refused: number) => void;
}

/** How long nothing must have been refused for the overload to be over, in milliseconds. */
const RELIEF_MS = 5_000;

/** How long a place is kept for newer requests than those that wait, in milliseconds. */
const KEPT_MS = 20;

interface Waiting {
  readonly since: number;
  readonly answer: (leave: Leave | undefined) => void;
}

/**
 * The work of a process, of which only so much is in flight. Beyond that, requests wait, first come, first served, until they wait
 * for longer than they should: then the newest goes first, so that those that are served are served quickly, instead of all of
 * them too late (adaptive LIFO; B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015). While requests are refused, places are kept for
 * a moment rather than given to those who wait for too long already: unless nobody else comes, they are refused.
 */
export class Load {
  readonly #limits: LoadLimits;
  readonly #events: LoadEvents;
  /** The oldest first. */
  readonly #queue: Waiting[] = [];
  #inFlight = 0;
  #refused = 0;
  #sweep: NodeJS.Timeout | undefined;
  #relief: NodeJS.Timeout | undefined;
  #kept: NodeJS.Timeout | undefined;

  constructor(limits: LoadLimits, events: LoadEvents) {
    this.#limits = limits;
    this.#events = events;
  }

  /** How many requests are worked on, and how many wait. */
  get state(): { readonly inFlight: number; readonly waiting: number } {
    return { inFlight: this.#inFlight, waiting: this.#queue.length };
  }

  /** Takes a free place at once; `undefined` where there is none. Urgent requests find one for longer. */
  enter(isUrgent: () => boolean): Leave | undefined {
    const { places, urgentPlaces } = this.#limits;
    const isFull = this.#inFlight >= places && !(this.#inFlight < places + urgentPlaces && isUrgent());
    return isFull ? undefined : this.#take();
  }

  /** Waits for a place; `undefined` where the wait was too long. */
  wait(): Promise<Leave | undefined> {
    return new Promise((answer) => {
      this.#queue.push({ since: performance.now(), answer });
      if (this.#queue.length > this.#limits.waiting) this.#refuse(this.#queue.shift());
      this.#sweepLater();
    });
  }

  #take(): Leave {
    this.#inFlight++;
    return () => {
      this.#inFlight--;
      if (this.#inFlight >= this.#limits.places) return;
      if (this.#relief !== undefined && this.#isLate(this.#queue.at(-1)))
        this.#kept ??= setTimeout(() => this.#fill(), KEPT_MS);
      else this.#next()?.answer(this.#take());
    };
  }

  #fill(): void {
    this.#kept = undefined;
    while (this.#queue.length > 0 && this.#inFlight < this.#limits.places) this.#next()?.answer(this.#take());
  }

  #next(): Waiting | undefined {
    return this.#isLate(this.#queue[0]) ? this.#queue.pop() : this.#queue.shift();
  }

  #isLate(waiting: Waiting | undefined): boolean {
    return waiting !== undefined && performance.now() - waiting.since > this.#limits.targetMs;
  }

  #refuse(waiting: Waiting | undefined): void {
    if (waiting === undefined) return;
    if (this.#refused++ === 0) this.#events.onOverload();
    this.#relief ??= setTimeout(() => this.#relieve(), RELIEF_MS).unref();
    this.#relief.refresh();
    waiting.answer(undefined);
  }

  #relieve(): void {
    this.#relief = undefined;
    const refused = this.#refused;
    this.#refused = 0;
    this.#events.onRelief(refused);
  }

  /** One timer for all who wait: it ends with the last of them. */
  #sweepLater(): void {
    const [oldest] = this.#queue;
    if (oldest === undefined || this.#sweep !== undefined) return;
    const dueMs = oldest.since + this.#limits.patienceMs - performance.now();
    this.#sweep = setTimeout(
      () => {
        this.#sweep = undefined;
        const deadline = performance.now() - this.#limits.patienceMs;
        while (this.#queue[0] !== undefined && this.#queue[0].since <= deadline)
          this.#refuse(this.#queue.shift());
        this.#sweepLater();
      },
      Math.max(1, Math.ceil(dueMs)),
    );
  }
}
