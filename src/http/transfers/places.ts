/** Leaves a place; call it once. */
export type Leave = () => void;

/** How many may be there at once. */
export interface Capacity {
  readonly total: number;
  /** Of one caller: less than the total where that is more than one, so that nobody can take every place. */
  readonly perCaller: number;
}

/** Places for what may run at the same time in this process. Nobody waits for one: a transfer takes as long as its client does. */
export class Places {
  readonly #capacity: Capacity;
  readonly #taken = new Map<string, number>();
  #total = 0;

  constructor(capacity: Capacity) {
    this.#capacity = capacity;
  }

  /** How many places are taken. */
  get taken(): number {
    return this.#total;
  }

  /** Takes a place and returns how to leave it; `caller` where the caller has too many, `all` where none is free. */
  enter(caller: string): Leave | 'caller' | 'all' {
    const own = this.#taken.get(caller) ?? 0;
    if (own >= this.#capacity.perCaller) return 'caller';
    if (this.#total >= this.#capacity.total) return 'all';
    this.#taken.set(caller, own + 1);
    this.#total++;
    return () => {
      const left = (this.#taken.get(caller) ?? 0) - 1;
      if (left > 0) this.#taken.set(caller, left);
      else this.#taken.delete(caller);
      this.#total--;
    };
  }
}
