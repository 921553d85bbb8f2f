import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { listen, operatorsAddress } from '../boot/listen.ts';
import type { Store } from '../boot/open-store.ts';
import type { ConnectionMode, DatabaseSettings } from '../database/connection.ts';
import type { Readiness } from '../database/readiness.ts';
import { sideConnection } from '../database/side-connection.ts';
import type { Webhook } from '../domain/webhook.ts';
import type { Lifecycle } from '../http/server/lifecycle.ts';
import type { Load } from '../http/server/load.ts';
import type { Transfers } from '../http/transfers/limits.ts';
import type { Sources } from '../security/sources.ts';
import { issuerName } from '../security/verifier.ts';
import type { ChangeFeed } from '../services/feed/change-feed.ts';
import { poolOf } from '../store/statements.ts';
import { Checks } from './checks.ts';
import { databaseSeries } from './database-series.ts';
import { figuresSource } from './figures.ts';
import type { Observer } from './observer.ts';
import { type Answer, operatorsServer } from './operators-server.ts';
import { processSeries } from './process-series.ts';
import { replicaSeries } from './replica-series.ts';
import { requestSeries } from './request-series.ts';
import { storeSeries } from './store-series.ts';
import { workSeries } from './work-series.ts';

/** How long a question to the database may take, in milliseconds. */
const QUESTION_MS = 2_000;

/** What metrics are about. */
export interface Subject {
  readonly store: Store;
  readonly database: DatabaseSettings;
  readonly mode: ConnectionMode;
  readonly settings: Parameters<typeof operatorsAddress>[0] & {
    readonly webhooks: { readonly hooks: readonly Webhook[] };
    readonly history: { readonly eraseAfterDays: number };
  };
  /** Of the code that runs; empty where nobody knows. */
  readonly commit: string;
  readonly sources: Pick<Sources, 'issuers'>;
  readonly application: {
    readonly lifecycle: Lifecycle;
    readonly load: Load;
    readonly transfers: Transfers;
    readonly feed: ChangeFeed;
    readonly readiness: Readiness;
  };
  readonly log: Logger;
}

/** The metrics of a process. */
export interface Metrics {
  /** What counts: given to the store and to the application. */
  readonly observer: Observer;
  /**
   * Opens the port that shows the counts, and all that can be looked up, and returns how to close it. Call it once. Throws
   * `CannotStart` where it cannot listen.
   */
  serve(subject: Subject): Promise<() => Promise<void>>;
}

/** Creates the metrics of a process. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const checks = new Checks();
  const work = workSeries(registry);
  const observer: Observer = {
    ...requestSeries(registry),
    ...work,
    onProviderKeys(issuer, areFetched) {
      work.onProviderKeys(issuer, areFetched);
      checks.noteProvider(issuer, areFetched);
    },
    onNotifications: (arrive) => checks.noteNotifications(arrive),
  };

  return {
    observer,
    async serve({ store, database, mode, settings, commit, sources, application, log }) {
      const issuers = sources.issuers.map(issuerName);
      work.expectIssuers(issuers);
      const webhooks = settings.webhooks.hooks.map(({ name }) => name);
      const side = sideConnection(database, mode, { name: 'rollcall metrics', limitMs: QUESTION_MS });
      const { replicas } = store;
      const { readiness } = application;
      const figures = figuresSource(side, { readiness, webhooks, ...settings.history });
      storeSeries(registry, { ...application, pool: await poolOf(store.orm.em) });
      replicaSeries(registry, replicas);
      processSeries(registry, commit);
      const showFigures = databaseSeries(registry);
      const server = operatorsServer(
        {
          '/metrics': async () => {
            showFigures(await figures());
            return { status: 200, type: registry.contentType, body: await registry.metrics() };
          },
          '/healthz': async () => json(200, { status: 'alive' }),
          '/readyz': async (query) => {
            const full = checks.report({ ...application, issuers, webhooks, replicas }, await figures());
            const isVerbose = new URLSearchParams(query).has('verbose');
            return json(full.status === 'ready' ? 200 : 503, isVerbose ? full : { status: full.status });
          },
        },
        (err) => log.error({ err }, 'metrics failed, by a fault of this program; report it with this line'),
      );
      log.info({ address: await listen(server, operatorsAddress(settings)) }, 'serving metrics');
      return async () => {
        server.close();
        server.closeAllConnections();
        await side.close();
      };
    },
  };
}

function json(status: number, content: unknown): Answer {
  return { status, type: 'application/json; charset=utf-8', body: JSON.stringify(content) };
}
