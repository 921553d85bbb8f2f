/** The phases of a process. */
export type Phase = 'booting' | 'ready' | 'draining';

/** The phase of the process, for HTTP. */
export class Lifecycle {
  #phase: Phase = 'booting';
  #draining = new AbortController();

  /** Set by the server, read by `/readyz` and by the draining of connections. */
  get phase(): Phase {
    return this.#phase;
  }

  set phase(phase: Phase) {
    this.#phase = phase;
    if (phase === 'draining') this.#draining.abort();
    else if (this.#draining.signal.aborted) this.#draining = new AbortController();
  }

  /** Aborts when draining begins: whatever waits must stop waiting. */
  get draining(): AbortSignal {
    return this.#draining.signal;
  }
}
