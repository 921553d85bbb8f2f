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
  /** How long one should wait at most while the process has been behind for {@link patienceMs}, in milliseconds. */
  readonly targetMs: number;
  /** How long nobody must have been refused for the overload to be over, in milliseconds. */
  readonly reliefMs: number;
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
    reliefMs: 5_000,
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
 * served late rather than refused. Only where the process has been behind for a while, waiting does not help: then those that have
 * waited for too long are late, and refused, so that the others are served in time, instead of all of them too late (controlled
 * delay; B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015). A caller that is refused may be back at once, and refusing costs
 * too: for each request that is done, one is refused, and each that has waited for as long as one may.
 */
export class Load {
  readonly #limits: LoadLimits;
  readonly #events: LoadEvents;
  readonly #now: () => number;
  /** The oldest first; those that are late are older. */
  readonly #queue: Waiting[] = [];
  readonly #late: Waiting[] = [];
  /** Since when somebody has been waiting. */
  #behindSince = Number.POSITIVE_INFINITY;
  #inFlight = 0;
  #refused = 0;
  #sweep: NodeJS.Timeout | undefined;
  #relief: NodeJS.Timeout | undefined;

  constructor(limits: LoadLimits, events: LoadEvents) {
    this.#limits = limits;
    this.#events = events;
    this.#now = events.now ?? (() => performance.now());
  }

  /** How many requests are worked on, and how many wait. */
  get state(): { readonly inFlight: number; readonly waiting: number } {
    return { inFlight: this.#inFlight, waiting: this.#late.length + this.#queue.length };
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
      if (this.state.waiting === 0) this.#behindSince = since;
      this.#queue.push({ since, answer });
      if (this.state.waiting > this.#limits.waiting) this.#refuse(this.#oldest());
      this.#sweepLater();
    });
  }

  #take(): Leave {
    this.#inFlight++;
    return () => {
      this.#inFlight--;
      const { places, patienceMs, targetMs } = this.#limits;
      const now = this.#now();
      const isBehind = now - this.#behindSince > patienceMs;
      while (isBehind && this.#queue[0] !== undefined && now - this.#queue[0].since > targetMs)
        this.#late.push(this.#queue.shift() as Waiting);
      // Even those that are late are served, rather than nobody.
      if (this.#inFlight < places) (this.#queue.shift() ?? this.#late.shift())?.answer(this.#take());
      if (isBehind) this.#refuse(this.#late.shift());
      if (this.state.waiting === 0) this.#behindSince = Number.POSITIVE_INFINITY;
    };
  }

  #oldest(): Waiting | undefined {
    return this.#late.shift() ?? this.#queue.shift();
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
    const oldest = this.#late[0] ?? this.#queue[0];
    if (oldest === undefined || this.#sweep !== undefined) return;
    const dueMs = oldest.since + this.#limits.patienceMs - this.#now();
    this.#sweep = setTimeout(
      () => {
        this.#sweep = undefined;
        const deadline = this.#now() - this.#limits.patienceMs;
        while ((this.#late[0] ?? this.#queue[0] ?? NOBODY).since <= deadline) this.#refuse(this.#oldest());
        this.#sweepLater();
      },
      Math.max(1, Math.ceil(dueMs)),
    );
  }
}

const NOBODY = { since: Number.POSITIVE_INFINITY };
