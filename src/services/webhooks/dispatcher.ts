import { randomUUID } from 'node:crypto';
import type { Webhook } from '../../domain/webhook.ts';
import { type DeliveryDeps, deliver } from './delivery.ts';
import { type Claim, claimWebhooks } from './leases.ts';

/** Where one hears that the feed may have something new. */
export interface News {
  /** Has `wake` called then; returns how to end that. */
  onNews(wake: () => void): () => void;
}

/** What a dispatcher needs of the world. */
export interface DispatcherDeps extends Omit<DeliveryDeps, 'now' | 'timeoutMs'> {
  readonly hooks: readonly Webhook[];
  readonly news: News;
  /** How long one exchange with a receiver may take; Standard Webhooks says 15 to 30 s. */
  readonly timeoutMs?: number;
  readonly now?: () => Date;
}

/** How often one looks for what no news tells of: a next try that is due, the work of a process that was killed. */
const LOOK_EVERY_MS = 1_000;

/**
 * Tells webhooks of changes, as one of any number of replicas: each webhook is one's own for as long as there is something
 * to tell it of. It goes on whatever happens, and leaves the database alone where there are no webhooks.
 */
export class Dispatcher {
  readonly #deps: DispatcherDeps & DeliveryDeps;
  readonly #holder = randomUUID();
  readonly #soon = new AbortController();
  readonly #atOnce = new AbortController();
  /** What is being told, by name. */
  readonly #busy = new Map<string, Promise<void>>();
  #looking: Promise<void> | undefined;
  #isStale = false;
  #isBlind = false;
  #end: () => void = () => undefined;

  constructor(deps: DispatcherDeps) {
    this.#deps = { timeoutMs: 15_000, now: () => new Date(), ...deps };
  }

  /** Begins. */
  start(): void {
    const { hooks, news } = this.#deps;
    if (hooks.length === 0) return;
    const look = () => this.#look();
    const timer = setInterval(look, LOOK_EVERY_MS);
    const ignore = news.onNews(look);
    this.#end = () => {
      clearInterval(timer);
      ignore();
    };
    look();
  }

  /**
   * Ends. What is on its way may finish within `timeoutMs`, and is given up then. The database is still needed for it: each
   * webhook is let go of, for another replica to take over at once.
   */
  async stop(timeoutMs: number): Promise<void> {
    this.#end();
    this.#soon.abort();
    await this.#looking;
    const tooLong = setTimeout(() => this.#atOnce.abort(), timeoutMs);
    await Promise.all(this.#busy.values());
    clearTimeout(tooLong);
  }

  /** Never twice at the same time; what is heard meanwhile is looked after next. */
  #look(): void {
    if (this.#soon.signal.aborted) return;
    this.#isStale = this.#looking !== undefined;
    this.#looking ??= this.#take().finally(() => {
      this.#looking = undefined;
      if (this.#isStale) this.#look();
    });
  }

  async #take(): Promise<void> {
    const { em, hooks, log } = this.#deps;
    const idle = hooks.map(({ name }) => name).filter((name) => !this.#busy.has(name));
    if (idle.length === 0) return;
    try {
      for (const claim of await claimWebhooks(em, idle, this.#holder)) {
        this.#busy.set(claim.name, this.#tell(claim));
      }
      this.#isBlind = false;
    } catch (error) {
      // Once for each outage, and not every second.
      if (!this.#isBlind) log.warn({ reason: (error as Error).message }, 'webhooks have to wait');
      this.#isBlind = true;
    }
  }

  async #tell(claim: Claim): Promise<void> {
    const { hooks, log } = this.#deps;
    const hook = hooks.find(({ name }) => name === claim.name) as Webhook;
    try {
      await deliver(this.#deps, hook, claim, { soon: this.#soon.signal, atOnce: this.#atOnce.signal });
      this.#busy.delete(claim.name);
      // For what has come in meanwhile.
      this.#look();
    } catch (error) {
      this.#busy.delete(claim.name);
      log.warn({ webhook: claim.name, reason: (error as Error).message }, 'webhook interrupted');
    }
  }
}
