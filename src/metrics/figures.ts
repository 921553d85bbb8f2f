import { setTimeout as delay } from 'node:timers/promises';
import { isUnavailable } from '../database/driver-errors.ts';
import type { Readiness } from '../database/readiness.ts';
import type { SideConnection } from '../database/side-connection.ts';
import { type DueErasures, dueErasures } from '../services/history/erasure.ts';
import { type WebhookBacklog, webhookBacklogs } from '../services/webhooks/backlog.ts';
import { feedLag } from '../store/feed-lag.ts';

/** What only the database knows. What it has not said, or not in time, is absent. */
export interface Figures {
  /** Whether it answers, and takes writes. */
  isUp: boolean;
  /** Why it does not. */
  reason?: string;
  /** The migrations that it lacks. */
  pending?: readonly string[];
  /** In seconds. */
  feedLag?: number;
  webhooks?: readonly WebhookBacklog[];
  erasures?: DueErasures;
}

/** What to ask for. */
export interface FiguresOptions {
  /** The check of the service's own readiness. */
  readonly readiness: Pick<Readiness, 'pending'>;
  /** The names of the webhooks. */
  readonly webhooks: readonly string[];
  readonly eraseAfterDays: number;
}

/** How old figures may be, in milliseconds. */
export const MAX_AGE_MS = 5_000;

/** How long anybody waits for them, in milliseconds: Prometheus gives up after ten seconds. */
const PATIENCE_MS = 2_000;

/**
 * Creates the source of figures, which asks one question after the other on a connection of its own: for all who want them at the
 * same time once, and at most every {@link MAX_AGE_MS}. It never throws, and it answers within two seconds, with what it knows by
 * then. A question that fails, or takes too long, leaves its figure out, and the others are asked.
 */
export function figuresSource(
  { ask }: Pick<SideConnection, 'ask'>,
  { readiness, webhooks, eraseAfterDays }: FiguresOptions,
): () => Promise<Figures> {
  let latest: Figures = { isUp: false };
  let askedAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;

  const readAll = async (figures: Figures) => {
    try {
      // The readiness keeps its last answer for a while when there is no newer one.
      await ask({ text: 'select', values: [] });
      figures.pending = await readiness.pending();
    } catch (error) {
      // It may answer, and its table of migrations be locked, or missing.
      if (isUnavailable(error)) {
        figures.reason = (error as Error).message;
        return;
      }
    }
    figures.isUp = true;
    const questions: (() => Promise<Partial<Figures>>)[] = [
      async () => ({ feedLag: await feedLag(ask) }),
      async () => ({ webhooks: await webhookBacklogs(ask, webhooks) }),
      async () => ({ erasures: await dueErasures(ask, eraseAfterDays) }),
    ];
    for (const question of questions) Object.assign(figures, await question().catch(() => undefined));
  };
  const refresh = async () => {
    const figures: Figures = { isUp: false };
    latest = figures;
    await readAll(figures);
    askedAt = performance.now();
    asking = undefined;
  };

  return async () => {
    if (asking === undefined && performance.now() - askedAt < MAX_AGE_MS) return latest;
    asking ??= refresh();
    await Promise.race([asking, delay(PATIENCE_MS, undefined, { ref: false })]);
    if (asking === undefined) return latest;
    return { ...latest, ...(!latest.isUp && { reason: `no answer within ${PATIENCE_MS} ms` }) };
  };
}
