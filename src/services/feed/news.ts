import type { ListenForChanges } from '../../store/change-log.ts';

/** Spreads the announcements of new changes: the process listens once for all subscribers, and not at all without any. */
export class News {
  readonly #listen: ListenForChanges;
  readonly #subscribers = new Set<{ readonly wake: () => void }>();
  #listening: ReturnType<ListenForChanges> | undefined;

  constructor(listen: ListenForChanges) {
    this.#listen = listen;
  }

  /**
   * Calls `wake` at once and whenever there may be new changes, until the returned function is called, which resolves when
   * nothing is listening any more. `wake` may be called without news, and must not throw.
   */
  subscribe(wake: () => void): () => Promise<void> {
    const subscriber = { wake };
    this.#subscribers.add(subscriber);
    if (this.#listening === undefined) {
      this.#listening = this.#listen(() => {
        for (const { wake } of [...this.#subscribers]) wake();
      });
    } else wake();
    return async () => {
      this.#subscribers.delete(subscriber);
      if (this.#subscribers.size === 0) await this.close();
    };
  }

  /** Stops listening. Subscribers hear nothing more. */
  async close(): Promise<void> {
    const listening = this.#listening;
    this.#listening = undefined;
    await listening?.stop();
  }
}
