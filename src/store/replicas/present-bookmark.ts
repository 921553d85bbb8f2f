import type { EntityManager } from '@mikro-orm/postgresql';
import { within } from '../../database/within.ts';
import { presentSight, type Sight } from '../feed-epoch.ts';
import { readLogEnd } from '../log-end.ts';
import type { PrimaryLog } from './primary-log.ts';

/** How long the answer to a write that is committed may wait for its bookmark, in milliseconds. */
const LIMIT_MS = 250;

/**
 * Asks the primary for the bookmark of all that is committed. One question runs at a time, on one connection of the pool: whoever asks
 * meanwhile shares the next one, which sees what each of them has committed.
 */
export class PresentBookmark {
  readonly #em: EntityManager;
  readonly #primary: PrimaryLog;
  #running: Promise<Sight> | undefined;
  #next: Promise<Sight> | undefined;

  /** `em` is one of the primary. */
  constructor(em: EntityManager, primary: PrimaryLog) {
    this.#em = em;
    this.#primary = primary;
  }

  /** Returns it. Throws where the primary, or a connection of the pool, does not come in a quarter of a second. */
  ask(): Promise<Sight> {
    if (this.#running === undefined) return this.#run();
    this.#next ??= this.#running.catch(() => undefined).then(() => this.#run());
    return inTime(this.#next);
  }

  #run(): Promise<Sight> {
    this.#next = undefined;
    const running = inTime(this.#question()).finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }

  async #question(): Promise<Sight> {
    const known = this.#primary.seen && this.#primary.bookmarkOf(await readLogEnd(this.#em));
    return known ?? presentSight(this.#em);
  }
}

function inTime<T>(answer: Promise<T>): Promise<T> {
  const late = () => new Error(`the primary has not said within ${LIMIT_MS} ms where its log is`);
  return within(LIMIT_MS, answer, late);
}
