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
  /** For how long somebody must have been waiting for the process to count as behind, in milliseconds. */
  readonly burstMs: number;
  /** The wait from which on one is late while the process is behind, in milliseconds. */
  readonly targetMs: number;
  /** How long there must have been free places for those that are late to be served, in milliseconds. */
  readonly spareMs: number;
  /** How long nobody must have been refused for the overload to be over, in milliseconds. */
  readonly reliefMs: number;
}

/**
 * The limits of a process with this many database connections. Most of a request's time is spent waiting for the database, where
 * requests of the same moment share statements: twice as many places did not answer more of them. Callers who wait for longer
 * before they are refused come back less often: with a thousand of them, two seconds left twice the time for answers that half a
 * second did.
 */
export function loadLimits(poolMax: number, overrides: Partial<LoadLimits> = {}): LoadLimits {
  return {
    places: Math.max(64, 4 * poolMax),
    urgentPlaces: 16,
    waiting: 1_000,
    patienceMs: 2_000,
    burstMs: 500,
    targetMs: 50,
    spareMs: 100,
    reliefMs: 5_000,
    ...overrides,
  };
}

/** What a load tells, and its clock. */
export interface LoadEvents {
  /** Requests are refused from now on. */
  readonly onOverload: () => void;
  /** No request was refused for a while; `refused` is how many were. */
  readonly onRelief: (refused: number) => void;
  /** The clock, in milliseconds. Default: the system's. */
  readonly now?: () => number;
}

interface Waiting {
  readonly since: number;
  readonly answer: (leave: Leave | undefined) => void;
}

/**
 * The work of a process, of which only so much is in flight. Beyond that, requests wait, first come, first served: a burst is
 * served late rather than refused. Where the process has been behind for a while, waiting does not help: then the newest goes first
 * (adaptive LIFO; B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015), so that what is served is served in time. Those that are late
 * wait until there are places to spare, or they are refused. A refused caller may be back at once, and refusing costs too, so
 * they are not refused earlier than they must be.
 */
export class Load {
  readonly #limits: LoadLimits;
  readonly #events: LoadEvents;
  readonly #now: () => number;
  /** The oldest first. */
  readonly #queue: Waiting[] = [];
  /** Since when somebody has been waiting. */
  #behindSince = Number.POSITIVE_INFINITY;
  /** When all places were taken last. */
  #fullAt = Number.NEGATIVE_INFINITY;
  #inFlight = 0;
  #refused = 0;
  #spare: NodeJS.Timeout | undefined;
  #sweep: NodeJS.Timeout | undefined;
  #relief: NodeJS.Timeout | undefined;

  constructor(limits: LoadLimits, events: LoadEvents) {
    this.#limits = limits;
    this.#events = events;
    this.#now = events.now ?? (() => performance.now());
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
      const since = this.#now();
      if (this.#queue.length === 0) this.#behindSince = since;
      this.#queue.push({ since, answer });
      if (this.#queue.length > this.#limits.waiting) this.#refuse(this.#queue.shift());
      this.#sweepLater();
    });
  }

  #take(): Leave {
    this.#inFlight++;
    if (this.#inFlight >= this.#limits.places) this.#fullAt = this.#now();
    return () => {
      this.#inFlight--;
      this.#serve();
    };
  }

  /** Gives the places that are free to those that wait. */
  #serve(): void {
    const { places, burstMs, targetMs, spareMs } = this.#limits;
    const now = this.#now();
    const newest = this.#queue.at(-1);
    if (newest === undefined || this.#inFlight >= places) return;
    if (now - this.#behindSince <= burstMs) this.#queue.shift()?.answer(this.#take());
    else if (now - newest.since <= targetMs) this.#queue.pop()?.answer(this.#take());
    // Whoever has just been answered may ask again in a moment, and is newer.
    else if (now - this.#fullAt <= spareMs) this.#serveLater();
    else
      while (this.#inFlight < places / 2 && this.#queue.length > 0) this.#queue.pop()?.answer(this.#take());
  }

  #serveLater(): void {
    this.#spare ??= setTimeout(() => {
      this.#spare = undefined;
      this.#serve();
    }, this.#limits.spareMs);
  }

  #refuse(waiting: Waiting | undefined): void {
    if (waiting === undefined) return;
    if (this.#refused++ === 0) this.#events.onOverload();
    this.#relief ??= setTimeout(() => this.#relieve(), this.#limits.reliefMs).unref();
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
    const dueMs = oldest.since + this.#limits.patienceMs - this.#now();
    this.#sweep = setTimeout(
      () => {
        this.#sweep = undefined;
        const deadline = this.#now() - this.#limits.patienceMs;
        while (this.#queue[0] !== undefined && this.#queue[0].since <= deadline)
          this.#refuse(this.#queue.shift());
        this.#sweepLater();
      },
      Math.max(1, Math.ceil(dueMs)),
    );
  }
}
