import { Counter, Histogram, type Registry } from 'prom-client';
import { REPLAY_REASONS, WAYS } from '../store/unit-of-work.ts';
import type { Observer } from './observer.ts';

/** The most keys of a batch is 100. */
const BATCH_SIZES = [1, 2, 5, 10, 20, 50, 100];

/** What counts work. */
interface WorkSeries extends Pick<Observer, 'onFlush' | 'onReplay' | 'onLookUps' | 'onProviderKeys'> {
  /** Begins to count for these issuers, by name: a rate needs a value before the first one. */
  expectIssuers(issuers: readonly string[]): void;
}

/** Counts units of work, look-ups and the keys of issuers in these series. */
export function workSeries(registry: Registry): WorkSeries {
  const registers = [registry];
  const flushes = new Counter({
    name: 'rollcall_flushes_total',
    help: 'Units of work that were written: in one statement, in a transaction, or in a dry run.',
    labelNames: ['way'],
    registers,
  });
  for (const way of WAYS) flushes.inc({ way }, 0);
  const replays = new Counter({
    name: 'rollcall_replays_total',
    help: 'Units of work that started again, because they lost a race or met a lock.',
    labelNames: ['reason'],
    registers,
  });
  for (const reason of REPLAY_REASONS) replays.inc({ reason }, 0);
  const batches = new Histogram({
    name: 'rollcall_lookup_batch_size',
    help: 'Callers that one statement looks up.',
    buckets: BATCH_SIZES,
    registers,
  });
  const fetches = new Counter({
    name: 'rollcall_provider_key_fetches_total',
    help: 'Attempts to fetch the keys of an identity provider.',
    labelNames: ['issuer', 'result'],
    registers,
  });
  return {
    onFlush: (way) => flushes.inc({ way }),
    onReplay: (reason) => replays.inc({ reason }),
    onLookUps: (keys) => batches.observe(keys),
    onProviderKeys: (issuer, areFetched) => fetches.inc({ issuer, result: areFetched ? 'ok' : 'failed' }),
    expectIssuers(issuers) {
      for (const issuer of issuers) for (const result of ['ok', 'failed']) fetches.inc({ issuer, result }, 0);
    },
  };
}
