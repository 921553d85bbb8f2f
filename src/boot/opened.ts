import type { Logger } from 'pino';

/** What a start has opened, and how to close it. */
export class Opened {
  readonly #parts: { readonly name: string; readonly close: () => Promise<unknown> }[] = [];

  add(name: string, close: () => Promise<unknown>): void {
    this.#parts.push({ name, close });
  }

  /** Closes everything, the newest first. A part that cannot be closed is logged, and the others are closed all the same. */
  async close(log: Logger): Promise<void> {
    for (const { name, close } of this.#parts.splice(0).reverse()) {
      await close().catch((error: unknown) =>
        log.error(
          { err: error, part: name },
          'closing failed, by a fault of this program; report it with this line',
        ),
      );
    }
  }
}
