/** Whether the keys of an issuer could be fetched the last time; `unknown` before the first of its tokens. */
export const KEY_STATES = ['ok', 'failing', 'unknown'] as const;

/** The state of an issuer's keys. */
export interface ProviderState {
  /** Its name, or its key URL without the query. */
  readonly issuer: string;
  readonly state: (typeof KEY_STATES)[number];
  /** When they were last fetched, or could not be; `null` before the first time. */
  readonly at: Date | null;
}

/** Remembers the state of each issuer's keys, as this process has found it. */
export class ProviderKeys {
  readonly #states: Map<string, ProviderState>;

  constructor(issuers: readonly string[]) {
    this.#states = new Map(issuers.map((issuer) => [issuer, { issuer, state: 'unknown', at: null }]));
  }

  /** The keys of an issuer have been fetched, or could not be. */
  note(issuer: string, areFetched: boolean): void {
    this.#states.set(issuer, { issuer, state: areFetched ? 'ok' : 'failing', at: new Date() });
  }

  /** All issuers, in the order of the settings. */
  get states(): readonly ProviderState[] {
    return [...this.#states.values()];
  }
}
