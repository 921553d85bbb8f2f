import { Registry } from 'prom-client';
import type { Store } from '../boot/open-store.ts';
import type { StartProgress } from '../boot/start-progress.ts';
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
import { Checks, type ChecksOptions } from './checks.ts';
import { databaseSeries } from './database-series.ts';
import { type Figures, figuresSource } from './figures.ts';
import type { Observer } from './observer.ts';
import type { Answer, Answers } from './operators-server.ts';
import { processSeries } from './process-series.ts';
import { replicaSeries } from './replica-series.ts';
import { requestSeries } from './request-series.ts';
import { startSeries } from './start-series.ts';
import { storeSeries } from './store-series.ts';
import { workSeries } from './work-series.ts';

/** How long a question to the database may take, in milliseconds. */
const QUESTION_MS = 2_000;

/** What metrics are about, once the application is there. */
export interface Subject {
  readonly store: Store;
  readonly database: DatabaseSettings;
  readonly mode: ConnectionMode;
  readonly settings: {
    readonly webhooks: { readonly hooks: readonly Webhook[] };
    readonly history: { readonly eraseAfterDays: number };
  };
  readonly sources: Pick<Sources, 'issuers'>;
  readonly application: {
    readonly lifecycle: Lifecycle;
    readonly load: Load;
    readonly transfers: Transfers;
    readonly feed: ChangeFeed;
    readonly readiness: Readiness;
  };
}

/** The metrics of a process. */
export interface Metrics {
  /** What counts: given to the store and to the application. */
  readonly observer: Observer;
  /** What the port for operators answers. */
  readonly answers: Answers;
  /**
   * Shows the application in place of the start, and all that can be looked up, and returns how to close what that takes. Call it
   * once.
   */
  show(subject: Subject): Promise<() => Promise<void>>;
}

/** What the checks look at, and where their figures come from. */
interface View {
  readonly checked: Omit<ChecksOptions, 'start'>;
  readonly figures: () => Promise<Figures>;
}

/**
 * Creates the metrics of a process, which show its start at first. `commit` is that of the code that runs; empty where nobody knows.
 */
export function createMetrics(start: StartProgress, commit: string): Metrics {
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
  let view: View = {
    checked: { lifecycle: { phase: 'booting' }, feed: { isFailing: false }, issuers: [], webhooks: [] },
    figures: async () => figuresOfStart(start),
  };
  startSeries(registry, () => view.checked.lifecycle.phase);
  processSeries(registry, commit);
  const showFigures = databaseSeries(registry);

  return {
    observer,
    answers: {
      '/metrics': async () => {
        showFigures(await view.figures());
        return { status: 200, type: registry.contentType, body: await registry.metrics() };
      },
      '/healthz': async () => json(200, { status: 'alive' }),
      '/readyz': async (query) => {
        const { checked, figures } = view;
        const full = checks.report({ ...checked, start: start.state }, await figures());
        const isVerbose = new URLSearchParams(query).has('verbose');
        return json(full.status === 'ready' ? 200 : 503, isVerbose ? full : { status: full.status });
      },
    },
    async show({ store, database, mode, settings, sources, application }) {
      const issuers = sources.issuers.map(issuerName);
      work.expectIssuers(issuers);
      const webhooks = settings.webhooks.hooks.map(({ name }) => name);
      const side = sideConnection(database, mode, { name: 'rollcall metrics', limitMs: QUESTION_MS });
      const { replicas } = store;
      const { readiness } = application;
      storeSeries(registry, { ...application, pool: await poolOf(store.orm.em) });
      replicaSeries(registry, replicas);
      view = {
        checked: { ...application, issuers, webhooks, replicas },
        figures: figuresSource(side, { readiness, webhooks, ...settings.history }),
      };
      return side.close;
    },
  };
}

/** What a start has found out about the database. */
function figuresOfStart({ isDatabaseUp, pending, state: { reason } }: StartProgress): Figures {
  return {
    isUp: isDatabaseUp,
    ...(pending && { pending }),
    ...(!isDatabaseUp && { reason: reason ?? 'it has not answered yet' }),
  };
}

function json(status: number, content: unknown): Answer {
  return { status, type: 'application/json; charset=utf-8', body: JSON.stringify(content) };
}
