/** Something that changes, and tells when it does. Its snapshots are never changed: a new state is a new snapshot. */
export abstract class Store<Snapshot> {
  readonly #listeners = new Set<() => void>();
  #snapshot: Snapshot;
  #stop: (() => void) | undefined;

  constructor(first: Snapshot) {
    this.#snapshot = first;
    this.first = () => first;
  }

  /** What was known at first, on a server too: a page that a server has rendered begins with it. */
  readonly first: () => Snapshot;

  /** What is known now. */
  readonly get = (): Snapshot => this.#snapshot;

  /** Calls `listener` after each change. Returns how to end it. While somebody listens, it is kept up to date. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    this.#stop ??= this.start();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#stop?.();
      this.#stop = undefined;
    };
  };

  protected set(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    for (const listener of this.#listeners) listener();
  }

  /** Begins to keep it up to date. Returns how to end that. */
  protected abstract start(): () => void;
}

/** The part of a browser's `window` and `document` that is listened to, where there is one. */
interface Target {
  addEventListener?(name: string, listener: (event: { readonly key?: string | null }) => void): void;
  removeEventListener?(name: string, listener: (event: { readonly key?: string | null }) => void): void;
}

/** Listens to an event of the browser, where there is one. Returns how to end it. */
export function listen(
  on: 'window' | 'document',
  name: string,
  listener: (event: { readonly key?: string | null }) => void,
): () => void {
  const target = (globalThis as { window?: Target; document?: Target })[on];
  target?.addEventListener?.(name, listener);
  return () => target?.removeEventListener?.(name, listener);
}
