import { Gauge, type Registry } from 'prom-client';
import type { Figures } from './figures.ts';

/**
 * Creates the series of what the database knows. Returns how to show figures in them: those that are absent have no value, for an
 * old one would look like a new one.
 */
export function databaseSeries(registry: Registry): (figures: Figures) => void {
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers: [registry] });
  const ofWebhooks = (name: string, help: string) =>
    new Gauge({ name, help, labelNames: ['webhook'], registers: [registry] });
  const isUp = gauge('rollcall_database_up', 'Whether the database answers, and takes writes.');
  const pending = gauge('rollcall_migrations_pending', 'Migrations that the database lacks.');
  const lag = gauge(
    'rollcall_feed_lag_seconds',
    'Age of the oldest change that the feed holds back, because an older transaction is running.',
  );
  const due = gauge('rollcall_erasures_due', 'Deleted accounts that are due to be erased.');
  const overdue = gauge('rollcall_erasure_overdue_seconds', 'For how long the oldest of them has been due.');
  const backlog = ofWebhooks('rollcall_webhook_backlog', 'Changes that a webhook has not passed yet.');
  const oldest = ofWebhooks('rollcall_webhook_oldest_seconds', 'Age of the oldest of them.');
  const parked = ofWebhooks(
    'rollcall_webhook_parked',
    'Whether a webhook has given up, until it is resumed.',
  );

  return ({ isUp: answers, pending: lacking, feedLag, webhooks = [], erasures }) => {
    isUp.set(answers ? 1 : 0);
    show(pending, lacking?.length);
    show(lag, feedLag);
    show(due, erasures?.accounts);
    show(overdue, erasures?.overdueSeconds);
    for (const series of [backlog, oldest, parked]) series.reset();
    for (const { name: webhook, changes, oldestSeconds, isParked } of webhooks) {
      backlog.set({ webhook }, changes);
      oldest.set({ webhook }, oldestSeconds);
      parked.set({ webhook }, isParked ? 1 : 0);
    }
  };
}

function show(gauge: Gauge, value: number | undefined): void {
  if (value === undefined) gauge.remove();
  else gauge.set(value);
}
