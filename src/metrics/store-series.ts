import type { Pool, PoolClient } from 'pg';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Load } from '../http/server/load.ts';
import type { Transfers } from '../http/transfers/limits.ts';
import type { ChangeFeed } from '../services/feed/change-feed.ts';

/** What the series are about. */
export interface StoreSubject {
  readonly pool: Pool;
  readonly load: Pick<Load, 'state'>;
  readonly transfers: Transfers;
  readonly feed: Pick<ChangeFeed, 'followers'>;
}

/** Shows the waiting requests, the connections, the transfers and the followers of the process in these series. */
export function storeSeries(registry: Registry, { pool, load, transfers, feed }: StoreSubject): void {
  const registers = [registry];
  new Gauge({
    name: 'rollcall_http_requests_waiting',
    help: 'Requests that wait for a place, because as many as possible are worked on.',
    registers,
    collect() {
      this.set(load.state.waiting);
    },
  });
  new Gauge({
    name: 'rollcall_pool_connections',
    help: 'Open connections of the pool.',
    labelNames: ['state'],
    registers,
    collect() {
      this.set({ state: 'used' }, pool.totalCount - pool.idleCount);
      this.set({ state: 'idle' }, pool.idleCount);
    },
  });
  new Gauge({
    name: 'rollcall_pool_connections_max',
    help: 'The most connections of the pool: DATABASE_POOL_MAX.',
    registers,
  }).set(pool.options.max);
  new Gauge({
    name: 'rollcall_pool_waiting',
    help: 'Who waits for a connection of the pool.',
    registers,
    collect() {
      this.set(pool.waitingCount);
    },
  });
  countRoundTrips(
    pool,
    new Counter({
      name: 'rollcall_database_round_trips_total',
      help: 'Answers of the database on connections of the pool.',
      registers,
    }),
  );
  new Gauge({
    name: 'rollcall_transfers',
    help: 'Imports and exports that are running.',
    labelNames: ['kind'],
    registers,
    collect() {
      for (const [kind, { taken }] of Object.entries(transfers.places)) {
        this.set({ kind }, taken);
      }
    },
  });
  new Gauge({
    name: 'rollcall_feed_followers',
    help: 'Event streams and waiting requests that follow the change feed.',
    registers,
    collect() {
      this.set(feed.followers);
    },
  });
}

/** PostgreSQL ends each answer by saying that it is ready for the next query: one such message is one round trip. */
function countRoundTrips(pool: Pool, counter: Counter): void {
  const counted = new WeakSet<PoolClient>();
  pool.on('acquire', (client) => {
    if (counted.has(client)) return;
    counted.add(client);
    client.connection.on('readyForQuery', () => counter.inc());
  });
}
