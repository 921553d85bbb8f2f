import type { EntityManager } from '@mikro-orm/postgresql';
import type { Logger } from 'pino';
import { type Webhook, wants } from '../../domain/webhook.ts';
import type { FeedEntry } from '../../store/feed-position.ts';
import type { ChangeFeed } from '../feed/change-feed.ts';
import { MAX_AGE_MS } from '../feed/recent-entries.ts';
import { advance, type Claim, fail, type Lease, release } from './leases.ts';
import { messageOf } from './message.ts';
import { Sender, type SendOptions } from './sender.ts';
import { verdictOn } from './verdict.ts';

/** How many entries of the feed one read fetches. */
const BATCH_SIZE = 100;

/** What deliveries need. */
export interface DeliveryDeps extends SendOptions {
  readonly em: EntityManager;
  readonly feed: Pick<ChangeFeed, 'read'>;
  readonly log: Logger;
  readonly now: () => Date;
}

/** When to stop. */
export interface Ending {
  /** No further delivery starts. */
  readonly soon: AbortSignal;
  /** The delivery in flight is abandoned too. */
  readonly atOnce: AbortSignal;
}

/**
 * Delivers to a claimed webhook every change that it wants, one after the other in the order of the feed, until there are no
 * more, a delivery fails, or it has to stop; then it releases the claim. The webhook's position moves past a change only
 * after the delivery: at-least-once. Throws what the database throws; then the lease has to expire.
 */
export async function deliver(
  deps: DeliveryDeps,
  hook: Webhook,
  claim: Claim,
  ending: Ending,
): Promise<void> {
  const { em, feed } = deps;
  const sender = new Sender(hook.url, deps);
  let { position, attempts } = claim;
  try {
    reading: for (;;) {
      const { entries, hasMore, readAt, epoch } = await feed.read(position, BATCH_SIZE, claim.epoch);
      const last = entries.at(-1);
      // In another epoch, the position that counts is the stored one.
      if (last === undefined || epoch !== claim.epoch) return await release(em, claim);
      const isEnd = !hasMore;
      const wanted = entries.filter(({ change: { action, erasedAt }, fields }) =>
        wants(hook, { action, fields, erasedAt }),
      );
      for (const entry of wanted) {
        if (ending.soon.aborted) return await release(em, claim);
        const number = attempts + 1;
        const isDelivered = await attempt(deps, hook, { entry, sender, lease: claim, number }, ending);
        if (!isDelivered) return;
        const isAll = isEnd && entry === last;
        // The last delivery releases the claim: from then on another process may hold it.
        if (!(await advance(em, claim, entry.position, { isDelivered, isEnd: isAll })) || isAll) return;
        attempts = 0;
        position = entry.position;
        if (performance.now() - readAt > MAX_AGE_MS) continue reading;
      }
      const isPassed = last !== wanted.at(-1);
      if (isPassed && !(await advance(em, claim, last.position, { isDelivered: false, isEnd }))) return;
      if (isEnd) return;
      position = last.position;
    }
  } catch (error) {
    if (!ending.atOnce.aborted) throw error;
    await release(em, claim);
  } finally {
    sender.close();
  }
}

interface Attempt {
  readonly entry: FeedEntry;
  readonly sender: Sender;
  readonly lease: Lease;
  /** From 1. */
  readonly number: number;
}

/** Delivers one change. Returns whether that succeeded; otherwise the failure is stored and the claim released. */
async function attempt(
  { em, log, now }: DeliveryDeps,
  { name, secrets }: Webhook,
  { entry, sender, lease, number }: Attempt,
  ending: Ending,
): Promise<boolean> {
  const { change } = entry;
  const answer = await sender.send(messageOf(entry, secrets, now()), ending.atOnce);
  const verdict = verdictOn(answer, number, now());
  const context = { webhook: name, changeId: change.id, attempt: number };
  if (verdict === undefined) {
    if (number > 1) log.info(context, 'webhook delivered after failures');
    return true;
  }
  const isParked = await fail(em, lease, { changeId: change.id, ...verdict });
  const { reason, delayMs } = verdict;
  if (isParked) log.error({ ...context, reason }, 'webhook parked; resume it to deliver again');
  else
    log.warn(
      { ...context, reason, retryInMs: Math.round(delayMs) },
      'webhook delivery failed; retrying; if this repeats, check the receiver',
    );
  return false;
}
