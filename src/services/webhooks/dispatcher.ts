import { randomUUID } from 'node:crypto';
import type { Webhook } from '../../domain/webhook.ts';
import type { ChangeFeed } from '../feed/change-feed.ts';
import { type DeliveryDeps, deliver } from './delivery.ts';
import { type Claim, claimWebhooks } from './leases.ts';

/** What a dispatcher needs. */
export interface DispatcherDeps extends Omit<DeliveryDeps, 'feed' | 'now' | 'timeoutMs'> {
  readonly hooks: readonly Webhook[];
  readonly feed: Pick<ChangeFeed, 'onNews' | 'read'>;
  /** Told of the epoch in which webhooks were claimed. */
  readonly onEpoch?: (epoch: string) => void;
  /** Default: {@link EXCHANGE_MS}. */
  readonly timeoutMs?: number;
  readonly now?: () => Date;
}

/** The most milliseconds of one exchange with a receiver; Standard Webhooks recommends 15 to 30 s. */
export const EXCHANGE_MS = 15_000;

/** How often to look for work that no news announces: a retry that is due, or what a killed process left. */
const LOOK_EVERY_MS = 1_000;

/**
 * Delivers changes to webhooks, as one of any number of replicas: one process at a time holds a webhook, for as long as there
 * is something to deliver. Failures do not stop it, and without webhooks it leaves the database alone.
 */
export class Dispatcher {
  readonly #deps: DispatcherDeps & DeliveryDeps;
  readonly #holder = randomUUID();
  readonly #soon = new AbortController();
  readonly #atOnce = new AbortController();
  /** The deliveries under way, by webhook. */
  readonly #busy = new Map<string, Promise<void>>();
  #looking: Promise<void> | undefined;
  #isStale = false;
  #hasFailed = false;
  #unsubscribe: () => Promise<void> = async () => undefined;

  constructor(deps: DispatcherDeps) {
    this.#deps = { timeoutMs: EXCHANGE_MS, now: () => new Date(), ...deps };
  }

  /** Starts delivering. */
  start(): void {
    const { hooks, feed } = this.#deps;
    if (hooks.length === 0) return;
    const look = () => this.#look();
    const timer = setInterval(look, LOOK_EVERY_MS);
    const unsubscribe = feed.onNews(look);
    this.#unsubscribe = () => {
      clearInterval(timer);
      return unsubscribe();
    };
    look();
  }

  /**
   * Stops. Deliveries in flight may finish within `timeoutMs`; then they are abandoned. It still needs the database: it releases
   * each webhook, so that another replica can take over at once.
   */
  async stop(timeoutMs: number): Promise<void> {
    this.#soon.abort();
    const tooLong = setTimeout(() => this.#atOnce.abort(), timeoutMs);
    const unsubscribed = this.#unsubscribe();
    await this.#looking;
    await Promise.all([...this.#busy.values(), unsubscribed]);
    clearTimeout(tooLong);
  }

  /** Looks for work; one look at a time, and a call during a look causes one more. */
  #look(): void {
    if (this.#soon.signal.aborted) return;
    this.#isStale = this.#looking !== undefined;
    this.#looking ??= this.#claimDue().finally(() => {
      this.#looking = undefined;
      if (this.#isStale) this.#look();
    });
  }

  async #claimDue(): Promise<void> {
    const { em, hooks, log, onEpoch } = this.#deps;
    const idle = hooks.map(({ name }) => name).filter((name) => !this.#busy.has(name));
    if (idle.length === 0) return;
    try {
      const { claims, epoch } = await claimWebhooks(em, idle, this.#holder);
      if (epoch !== undefined) onEpoch?.(epoch);
      for (const claim of claims) this.#busy.set(claim.name, this.#deliver(claim));
      this.#hasFailed = false;
    } catch (error) {
      // Once an outage, not every second.
      if (!this.#hasFailed)
        log.warn(
          { reason: (error as Error).message },
          'webhooks cannot be claimed; retrying; if this lasts, check the database',
        );
      this.#hasFailed = true;
    }
  }

  async #deliver(claim: Claim): Promise<void> {
    const { hooks, log } = this.#deps;
    const hook = hooks.find(({ name }) => name === claim.name) as Webhook;
    try {
      await deliver(this.#deps, hook, claim, { soon: this.#soon.signal, atOnce: this.#atOnce.signal });
      this.#busy.delete(claim.name);
      // For changes that came in meanwhile.
      this.#look();
    } catch (error) {
      this.#busy.delete(claim.name);
      log.warn(
        { webhook: claim.name, reason: (error as Error).message },
        'webhook delivery interrupted; retrying; if this repeats, check the database',
      );
    }
  }
}
