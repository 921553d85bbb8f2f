/** Where in its life a process is. */
export type Phase = 'booting' | 'ready' | 'draining';

/** Where in its life the process is, as far as those who ask over HTTP are concerned. */
export class Lifecycle {
  #phase: Phase = 'booting';
  #draining = new AbortController();

  /** The server sets it; `/readyz` and the draining of connections go by it. */
  get phase(): Phase {
    return this.#phase;
  }

  set phase(phase: Phase) {
    this.#phase = phase;
    if (phase === 'draining') this.#draining.abort();
    else if (this.#draining.signal.aborted) this.#draining = new AbortController();
  }

  /** Aborts when the draining begins: what waits for something is to wait no longer. */
  get draining(): AbortSignal {
    return this.#draining.signal;
  }
}
