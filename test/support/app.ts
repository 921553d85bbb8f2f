import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { Environment, Settings } from '../../config/settings.ts';
import { openStore } from '../../src/boot/open-store.ts';
import type { ReadinessTimes } from '../../src/database/readiness.ts';
import type { AccessPolicy, EmailChangePolicy } from '../../src/domain/access.ts';
import type { PreferenceRules } from '../../src/domain/preferences.ts';
import type { Webhook } from '../../src/domain/webhook.ts';
import type { Endpoint } from '../../src/http/endpoint.ts';
import type { StreamTimes } from '../../src/http/endpoints/changes.ts';
import type { TrustProxy } from '../../src/http/request/forwarded.ts';
import type { GracefulClose } from '../../src/http/server/graceful-close.ts';
import type { Lifecycle } from '../../src/http/server/lifecycle.ts';
import type { Load, LoadLimits } from '../../src/http/server/load.ts';
import type { TransferLimits, Transfers } from '../../src/http/transfers/limits.ts';
import { createLog } from '../../src/log.ts';
import { signHs256 } from '../../src/security/hmac.ts';
import {
  type ListedIssuer,
  type SourceSettings,
  type Sources,
  sourcesOf,
} from '../../src/security/sources.ts';
import { DIRECT } from '../../src/security/web-client.ts';
import type { ChangeFeed } from '../../src/services/feed/change-feed.ts';
import type { RateLimitSettings } from '../../src/store/rate-limits.ts';
import { wireApplication } from '../../src/wiring.ts';
import { createMigratedDatabase, type TestDatabase } from './database.ts';

/** The secret under which the tests' tokens are signed. */
export const SECRET = 'a secret for the tests, long enough for anyone';

/** The settings of transfers. */
export const TRANSFERS = { atOnce: null, minRate: 8_192, timeoutMs: 60_000, maxUploadBytes: 2 ** 30 };

/** The sources of tokens by these settings. Default: tokens signed with the secrets. */
export function sources(auth: Partial<SourceSettings> = {}, ring: readonly string[] = [SECRET]): Sources {
  const none = {
    cookieName: null,
    issuer: null,
    jwksUrl: null,
    audience: null,
    clients: [],
    issuerDomains: [],
  };
  return sourcesOf({ ...none, emailClaims: ['email'], trustedEmailClaims: [], issuers: [], ...auth }, ring);
}

/** The application of `wiring.ts`, on real HTTP and a database of its own. */
export interface TestApp {
  readonly url: string;
  /** Drains it, as a signal does. */
  readonly drain: GracefulClose;
  readonly orm: MikroORM;
  readonly database: TestDatabase;
  readonly lifecycle: Lifecycle;
  readonly transfers: Transfers;
  readonly load: Load;
  readonly feed: ChangeFeed;
  /** The log so far, parsed. */
  readonly log: Record<string, unknown>[];
  /** Sends a request; with `as`, in the name of the account with that email. */
  call(path: string, options?: RequestInit & { as?: string }): Promise<Response>;
  /** Stops it and leaves the database. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts the application. `extra` are endpoints for the test; `database` is one made before (it is dropped with the app), and
 * `through` another URL of it; `poolMax` its number of connections; `now` is the clock of tokens. Without `rateLimit` there are no limits. It knows the `webhooks`
 * and delivers nothing.
 */
export async function startApp(
  options: {
    extra?: Endpoint[];
    database?: TestDatabase;
    through?: string;
    preferenceRules?: PreferenceRules;
    basePath?: string;
    console?: boolean;
    consoleClient?: Pick<Settings['console'], 'clientId' | 'clientSecret'>;
    publicUrl?: string;
    proxy?: Settings['proxy'];
    corsOrigins?: readonly string[];
    corsHeaders?: readonly string[];
    trustProxy?: TrustProxy;
    rateLimit?: Partial<RateLimitSettings>;
    sources?: Sources;
    now?: () => Date;
    accessPolicy?: AccessPolicy;
    emailChanges?: EmailChangePolicy;
    initialAdmins?: readonly string[];
    streamTimes?: Partial<StreamTimes>;
    readinessTimes?: Partial<ReadinessTimes>;
    transferLimits?: Partial<TransferLimits>;
    loadLimits?: Partial<LoadLimits>;
    poolMax?: number;
    sightingsMs?: number;
    environment?: Environment;
    webhooks?: readonly Webhook[];
    requestTimeoutMs?: number;
    logLevel?: Settings['logLevel'];
    reasonRequired?: boolean;
  } = {},
): Promise<TestApp> {
  const database = options.database ?? (await createMigratedDatabase());
  const lines: Record<string, unknown>[] = [];
  const sink = new Writable({
    write(line: Buffer, _encoding, done) {
      lines.push(JSON.parse(line.toString()));
      done();
    },
  });
  const log = await createLog({ logLevel: options.logLevel ?? 'info', logFormat: 'json' }, sink);
  const reached = {
    ...database,
    url: options.through ?? database.url,
    ...(options.poolMax && { poolMax: options.poolMax }),
  };
  const mode = 'direct';
  const history = { eraseAfterDays: 30, reasonRequired: options.reasonRequired ?? false };
  const store = await openStore({
    database: reached,
    mode,
    log,
    servesRequests: true,
    history,
    timesStatements: options.environment === 'development',
  });
  const { now, streamTimes, transferLimits, loadLimits, extra } = options;
  const { server, lifecycle, transfers, load, feed, drain, close } = await wireApplication({
    store,
    database: reached,
    mode,
    settings: {
      environment: options.environment ?? 'test',
      host: '127.0.0.1',
      access: {
        ...(options.accessPolicy ?? { policy: 'invited', domains: [] }),
        emailChanges: options.emailChanges ?? 'follow',
      },
      basePath: options.basePath ?? '',
      console: {
        enabled: options.console ?? true,
        ...(options.consoleClient ?? { clientId: null, clientSecret: null }),
        issuer: null,
      },
      publicUrl: options.publicUrl ?? null,
      initialAdmins: options.initialAdmins ?? [],
      corsOrigins: options.corsOrigins ?? [],
      corsHeaders: options.corsHeaders ?? [],
      history,
      dormancy: { suspendAfterDays: 0 },
      keepAliveTimeoutMs: 65_000,
      proxy: options.proxy ?? DIRECT,
      rateLimit: { failures: 0, requests: 0, historyBytes: 0, store: 'memory', ...options.rateLimit },
      requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
      transfers: TRANSFERS,
      trustProxy: options.trustProxy ?? 0,
      webhooks: { hooks: options.webhooks ?? [], allowPrivate: true },
    },
    sources: options.sources ?? sources(),
    rules: options.preferenceRules ?? { maxBytes: 16_384 },
    log,
    // Each probe of a test asks anew.
    readinessTimes: { freshMs: 0, ...options.readinessTimes },
    // Other tests count statements and connections.
    sightingsMs: options.sightingsMs ?? 60_000,
    ...(now && { now }),
    ...(streamTimes && { streamTimes }),
    ...(transferLimits && { transferLimits }),
    ...(loadLimits && { loadLimits }),
    ...(extra && { extra }),
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  lifecycle.phase = 'ready';
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const stop = async () => {
    if (server.listening) server.close();
    server.closeAllConnections();
    await close();
    await store.orm.close(true);
  };

  return {
    url,
    drain,
    orm: store.orm,
    database,
    lifecycle,
    transfers,
    load,
    feed,
    log: lines,
    async call(path, { as, ...init } = {}) {
      const headers = new Headers(init.headers);
      if (as !== undefined) headers.set('Authorization', `Bearer ${await signHs256(SECRET, as, '1h')}`);
      return fetch(new URL(path, url), { ...init, headers });
    },
    stop,
    async close() {
      await stop();
      await database.drop();
    },
  };
}

/** A further issuer of {@link sources}, with what a test does not care about. */
export function listedIssuer(
  issuer: Pick<ListedIssuer, 'issuer' | 'audience'> & Partial<ListedIssuer>,
): ListedIssuer {
  return { jwksUrl: null, clients: [], emailClaims: null, trustedEmailClaims: [], domains: [], ...issuer };
}
