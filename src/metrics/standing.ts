/** How something is: as it should be, worse but working, or not working. */
export type State = 'ok' | 'degraded' | 'failing' | 'unknown';

/** The state of something, and since when this process has seen it so. */
export interface Standing {
  readonly state: State;
  /** ISO 8601. */
  readonly since: string;
  /** What is wrong. */
  readonly reason?: string;
}

/** Remembers since when everything is as it is. */
export class Standings {
  readonly #known = new Map<string, { readonly state: State; readonly since: string }>();

  /** The standing of something that has this name, and is in this state now. */
  of(name: string, state: State, reason?: string): Standing {
    let known = this.#known.get(name);
    if (known?.state !== state) {
      known = { state, since: new Date().toISOString() };
      this.#known.set(name, known);
    }
    return { ...known, ...(reason !== undefined && { reason }) };
  }
}
