import { Counter, Histogram, type Registry } from 'prom-client';
import { WAYS } from '../store/unit-of-work.ts';
import type { Observer } from './observer.ts';

/** The most keys of a batch is 100. */
const BATCH_SIZES = [1, 2, 5, 10, 20, 50, 100];

/** Counts units of work, look-ups and the keys of issuers in these series. */
export function workSeries(
  registry: Registry,
): Pick<Observer, 'onFlush' | 'onReplay' | 'onLookUps' | 'onProviderKeys'> {
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
    help: 'Units of work that lost a race and started again.',
    registers,
  });
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
    onReplay: () => replays.inc(),
    onLookUps: (keys) => batches.observe(keys),
    onProviderKeys: (issuer, areFetched) => fetches.inc({ issuer, result: areFetched ? 'ok' : 'failed' }),
  };
}
