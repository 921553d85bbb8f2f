import type { EntityManager } from '@mikro-orm/postgresql';
import { runAlone } from '../../store/statements.ts';
import { lastWrite } from './last-write.ts';

/** How long sightings are gathered before they are written by default, in milliseconds. */
const GATHER_MS = 1_000;

/** The longest pause before another attempt, in milliseconds. */
const MAX_PAUSE_MS = 60_000;

/** The most accounts in memory. Others are noted at a later request. */
const MAX_NOTED = 10_000;

// By ages, because the database's clock counts. Another process may have been quicker; a row that somebody has locked is being
// written or erased. In one order, and without waiting: no two processes deadlock.
const WRITE = `
  with due as (
    select user_id, age
      from sightings join jsonb_to_recordset($1::jsonb) as noted (id int, age float8) on user_id = id
     where last_seen_at < now() - interval '1 hour'
     order by user_id for no key update of sightings skip locked
  )
  update sightings set last_seen_at = greatest(last_seen_at, now() - age * interval '1 ms')
    from due where sightings.user_id = due.user_id`;

/** What sightings need. */
export interface SightingsDeps {
  readonly em: EntityManager;
  /** Called with the first failure of several in a row. */
  readonly onFailure: (error: Error) => void;
  /** Default: a second. */
  readonly gatherMs?: number | undefined;
}

/**
 * Writes when accounts were last seen, in the background: no request waits for it, and those of a short while share a statement. It
 * is no part of any unit of work. What cannot be written is kept for later; what is in memory when the process is killed, or
 * ends without its database, is lost.
 */
export class Sightings {
  readonly #deps: SightingsDeps;
  /** When each account was last noted, by `performance.now()`. */
  readonly #noted = new Map<number, number>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #failures = 0;
  #isClosed = false;

  constructor(deps: SightingsDeps) {
    this.#deps = deps;
  }

  /** Notes that the account with this id makes a request now. */
  note(id: number): void {
    if (this.#isClosed || (this.#noted.size >= MAX_NOTED && !this.#noted.has(id))) return;
    this.#noted.set(id, performance.now());
    this.#plan();
  }

  /** Writes what is left, unless the database is gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    if (this.#failures === 0) await lastWrite(this.#write());
  }

  #plan(): void {
    if (this.#isClosed || this.#timer !== undefined || this.#writing !== undefined) return;
    const ms = Math.min(MAX_PAUSE_MS, (this.#deps.gatherMs ?? GATHER_MS) * 2 ** this.#failures);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#writing = this.#write().finally(() => {
        this.#writing = undefined;
        if (this.#noted.size > 0) this.#plan();
      });
    }, ms).unref();
  }

  async #write(): Promise<void> {
    const noted = [...this.#noted];
    if (noted.length === 0) return;
    this.#noted.clear();
    const now = performance.now();
    const records = noted.map(([id, at]) => ({ id, age: now - at }));
    try {
      await runAlone(this.#deps.em, { text: WRITE, values: [JSON.stringify(records)] });
      this.#failures = 0;
    } catch (error) {
      for (const [id, at] of noted) if (!this.#noted.has(id)) this.#noted.set(id, at);
      if (this.#failures++ === 0) this.#deps.onFailure(error as Error);
    }
  }
}
