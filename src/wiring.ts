import { createServer, type RequestListener, type Server } from 'node:http';
import type { Logger } from 'pino';
import { filesOf } from '../config/build-info.ts';
import type { Settings } from '../config/settings.ts';
import { createApp } from './app.ts';
import type { Store } from './boot/open-store.ts';
import { consoleFiles } from './console/bundle.ts';
import type { ConnectionMode, DatabaseSettings } from './database/connection.ts';
import { toRefusal } from './database/driver-errors.ts';
import { type Readiness, type ReadinessTimes, readinessCheck } from './database/readiness.ts';
import type { PreferenceRules } from './domain/preferences.ts';
import { servedConsole } from './http/answer/served-console.ts';
import type { Endpoint } from './http/endpoint.ts';
import type { StreamTimes } from './http/endpoints/changes.ts';
import { endpoints } from './http/endpoints.ts';
import { Acceptors } from './http/server/acceptors.ts';
import { answerUnreadable } from './http/server/client-error.ts';
import { type GracefulClose, gracefulClose, SILENCE_MS } from './http/server/graceful-close.ts';
import { Lifecycle } from './http/server/lifecycle.ts';
import { Load, type LoadLimits, loadLimits } from './http/server/load.ts';
import {
  createTransfers,
  type TransferLimits,
  type Transfers,
  transferLimits,
} from './http/transfers/limits.ts';
import type { Observer } from './metrics/observer.ts';
import { cursorCodec } from './security/cursor.ts';
import { signInSealer } from './security/sealed-sign-in.ts';
import { providerClientOf, type SignInProvider, signInProvider } from './security/sign-in-provider.ts';
import { sourceWarnings } from './security/source-warnings.ts';
import type { Sources } from './security/sources.ts';
import { issuerName, tokenVerifier } from './security/verifier.ts';
import { admission } from './services/access/admission.ts';
import { sessionLookUp } from './services/access/console-session-look-up.ts';
import { ProviderKeys } from './services/access/provider-keys.ts';
import { RefusedSignInCounter } from './services/access/refused-sign-ins.ts';
import { serviceTokenLookUp } from './services/access/service-token-look-up.ts';
import { Sightings } from './services/access/sightings.ts';
import { startDormancy } from './services/accounts/dormancy.ts';
import { startExpiry } from './services/accounts/expiry.ts';
import { ChangeFeed } from './services/feed/change-feed.ts';
import { EpochWatch } from './services/feed/epoch-watch.ts';
import { startEraser } from './services/history/eraser.ts';
import { Dispatcher, EXCHANGE_MS } from './services/webhooks/dispatcher.ts';
import { registerWebhooks } from './services/webhooks/leases.ts';
import { accountLookUp } from './store/account-look-up.ts';
import { batchedLookUps } from './store/batched-look-ups.ts';
import { changeListener } from './store/change-listener.ts';
import { renewEpoch } from './store/feed-epoch.ts';
import { type RateLimitSettings, rateLimits } from './store/rate-limits.ts';

/** How much longer Node.js waits for a request than we do, in milliseconds, so that the refusal is ours. */
const ANSWER_MS = 10_000;

/** The most bytes of a request's head: a token may have 16 KiB, beside cookies and what proxies add. Node's default is 16 KiB. */
const MAX_HEADER_BYTES = 32 * 1024;

/** The settings of an application. */
export interface ApplicationSettings
  extends Pick<
    Settings,
    | 'environment'
    | 'access'
    | 'host'
    | 'basePath'
    | 'console'
    | 'initialAdmins'
    | 'corsHeaders'
    | 'corsOrigins'
    | 'history'
    | 'dormancy'
    | 'keepAliveTimeoutMs'
    | 'proxy'
    | 'publicUrl'
    | 'requestTimeoutMs'
    | 'transfers'
    | 'trustProxy'
    | 'webhooks'
  > {
  readonly rateLimit: RateLimitSettings;
}

/** What an application is made of. */
export interface ApplicationOptions {
  readonly store: Store;
  readonly database: DatabaseSettings;
  readonly mode: ConnectionMode;
  readonly settings: ApplicationSettings;
  /** The sources of tokens. */
  readonly sources: Sources;
  readonly rules: PreferenceRules;
  readonly log: Logger;
  /** The clock of tokens. Default: the system's. */
  readonly now?: () => Date;
  /** Overrides of the times of event streams. */
  readonly streamTimes?: Partial<StreamTimes>;
  /** Overrides of the times of the readiness check. */
  readonly readinessTimes?: Partial<ReadinessTimes>;
  /** How long sightings of accounts are gathered before they are written, in milliseconds. Default: a second. */
  readonly sightingsMs?: number | undefined;
  /** Overrides of the limits of transfers. */
  readonly transferLimits?: Partial<TransferLimits>;
  /** Overrides of the limits of the other requests. */
  readonly loadLimits?: Partial<LoadLimits>;
  /** Told of what it does. */
  readonly observer?: Observer | undefined;
  /** Further endpoints. */
  readonly extra?: readonly Endpoint[];
}

/** The application, ready to listen. */
export interface Application {
  readonly server: Server;
  /** Answers a request, for a server of somebody else. */
  readonly handler: RequestListener;
  /** Accepts connections beside the server. */
  readonly acceptors: Acceptors;
  readonly lifecycle: Lifecycle;
  /** The imports and exports of this process. */
  readonly transfers: Transfers;
  /** The other requests of this process. */
  readonly load: Load;
  /** The change feed of this process. */
  readonly feed: ChangeFeed;
  /** Whether the database can serve this process. */
  readonly readiness: Readiness;
  /** Starts the work that no request asks for: webhook deliveries and erasures. */
  start(): void;
  /**
   * Drains: no new connections and deliveries, and those in flight may finish. Returns whether they did, in time. `closeServer`
   * closes what takes the requests in place of the server.
   */
  drain(timeoutMs: number, closeServer?: GracefulClose): Promise<boolean>;
  /** Stops everything else but the store. */
  close(): Promise<void>;
}

/** Composes the application: the only place that does, for the server and for the tests. */
export async function wireApplication(options: ApplicationOptions): Promise<Application> {
  const { store, database, mode, settings, sources, rules, log, now, streamTimes, extra = [] } = options;
  const { observer } = options;
  const { orm, inUnit } = store;
  const { hooks, allowPrivate } = settings.webhooks;
  const lifecycle = new Lifecycle();
  const filesFolder = filesOf(import.meta.dirname);
  const transfers = createTransfers(
    transferLimits(settings.transfers, database.poolMax, options.transferLimits),
  );
  const load = new Load(loadLimits(database.poolMax, options.loadLimits), {
    onOverload: () =>
      log.warn(
        load.state,
        'overloaded: refusing requests; add a replica, or see what is slow in the database',
      ),
    onRelief: (refused) => log.info({ refused }, 'no longer overloaded'),
  });
  const readiness = readinessCheck(database, mode, store.migrations, options.readinessTimes);
  const refusedSignIns = new RefusedSignInCounter();
  const sightings = new Sightings({
    em: orm.em.fork(),
    gatherMs: options.sightingsMs,
    onFailure: ({ message: reason }) =>
      log.warn(
        { reason },
        'sightings of accounts not written; trying again; if this lasts, check the database',
      ),
  });
  const epochs = new EpochWatch({
    ask: () => renewEpoch(orm.em.fork()),
    onEpoch: (known) =>
      log.warn(known, 'database changed to another server; let refused readers of the feed resynchronise'),
  });
  // Soon, and not with the first read: a server that has taken over knows only until its own restart where it did.
  const renewed = await renewEpoch(orm.em.fork());
  epochs.renewed(renewed);
  const feed = new ChangeFeed({
    em: orm.em.fork(),
    listen: changeListener(database, mode, {
      onLost: ({ message }) => {
        observer?.onNotifications(false);
        log.warn(
          { reason: message },
          'change notifications lost; polling every second; if this lasts, check the database',
        );
      },
      onRestored: () => {
        observer?.onNotifications(true);
        log.info('change notifications restored');
      },
    }),
    onError: (error) =>
      log.warn({ err: error }, 'change feed cannot be read; retrying; if this lasts, check the database'),
    onEpoch: epochs.saw,
  });
  store.replicas?.start({
    onEpoch: epochs.saw,
    onUsed: (replica) => log.info({ replica }, 'read replica used'),
    onNoBookmark: (reason) =>
      log.warn(
        { reason },
        'no bookmark for an answer, whose caller reads from the primary for a while; if this repeats, check the database',
      ),
    onLeftOut: (replica, { kind, reason }) => {
      if (kind === 'primary') log.info({ replica, reason }, 'read replica left out');
      else if (kind === 'gone')
        log.warn(
          { replica, reason },
          'read replica left out, it cannot be read; reading from the primary; check that server, and its URL in DATABASE_REPLICA_URLS',
        );
      else if (kind === 'unfit')
        log.warn(
          { replica, reason },
          'read replica left out, it is no standby of this primary; reading from the primary; name standbys alone in DATABASE_REPLICA_URLS',
        );
      else
        log.warn(
          { replica, reason },
          'read replica left out, it lags; reading from the primary; see what holds up its replay, or raise DATABASE_REPLICA_MAX_LAG_MS',
        );
    },
  });
  // Before any request: a webhook is told of every change from here on.
  await registerWebhooks(orm.em.fork(), hooks);
  if (hooks.length > 0 && !renewed.isKnown)
    log.warn('failovers that lose changes go unnoticed; grant the functions named in docs/change-feed.md');
  const webhooks = new Dispatcher({
    em: orm.em.fork(),
    hooks,
    allowPrivate,
    proxy: settings.proxy,
    feed,
    onEpoch: epochs.saw,
    log,
  });

  // Where issuers sign everybody in there is no secret of ours, and the replicas share this one.
  const [newest = database.url, ...older] = sources.ring;
  for (const { message, ...where } of sourceWarnings(sources)) log.warn(where, message);

  const lookUps = batchedLookUps(orm, observer?.onLookUps);
  const providerKeys = new ProviderKeys(sources.issuers.map(issuerName));
  const verifier = await tokenVerifier(sources, {
    ...(now && { now }),
    proxy: settings.proxy,
    onProviderFailure: (issuer, { message: reason }) => {
      providerKeys.note(issuer, false);
      observer?.onProviderKeys(issuer, false);
      log.warn(
        { issuer, reason },
        'keys of the identity provider unavailable; check its address and the network',
      );
    },
    onProviderKeys: (issuer) => {
      providerKeys.note(issuer, true);
      observer?.onProviderKeys(issuer, true);
    },
  });
  const admit = admission({
    findAccount: accountLookUp(orm, lookUps),
    policy: settings.access,
    emailChanges: settings.access.emailChanges,
    refusedSignIns,
    sightings,
    inUnit,
  });
  const sessions = sessionLookUp(orm, lookUps, sightings);
  const readConsoleFiles = () => consoleFiles(filesFolder);
  const serveConsole = settings.console.enabled
    ? servedConsole(readConsoleFiles, settings.basePath)
    : undefined;
  const app = createApp({
    inUnit,
    log,
    statementTimes: store.statementTimes,
    lifecycle,
    verifier,
    authjsCookies: sources.cookieNames,
    sessions,
    serveConsole,
    // In production, proxies say which hosts there are.
    knownHosts: settings.environment === 'development' ? knownHosts(settings) : undefined,
    publicAddress: {
      publicUrl: settings.publicUrl,
      allowsPlain: settings.environment !== 'production',
    },
    tellsCauses: settings.environment === 'development',
    admit,
    findServiceToken: serviceTokenLookUp(lookUps),
    endpoints: [
      ...endpoints({
        lifecycle,
        feed,
        ...(streamTimes && { streamTimes }),
        cursors: cursorCodec(newest, ...older),
        preferenceRules: rules,
        accessPolicy: settings.access,
        refusedSignIns,
        webhooks: hooks,
        sending: { allowPrivate, proxy: settings.proxy, timeoutMs: EXCHANGE_MS },
        console: serveConsole
          ? {
              serve: serveConsole,
              sessions,
              verifier,
              acceptsAuthjs: sources.ring.length > 0,
              provider: consoleProvider(options),
              sealer: signInSealer([newest, ...older], now),
              admit,
              onInvalid: (cause, requestId) =>
                log.info({ requestId, cause }, 'sign-in at the provider refused'),
            }
          : undefined,
        basePath: settings.basePath,
        pendingMigrations: readiness.pending,
        providerKeys,
        readConsoleFiles,
        filesFolder,
      }),
      ...extra,
    ],
    seeds: settings.initialAdmins,
    basePath: settings.basePath,
    corsOrigins: settings.corsOrigins,
    corsHeaders: settings.corsHeaders,
    trustProxy: settings.trustProxy,
    rateLimits: await rateLimits(settings.rateLimit, orm, log),
    transfers,
    load,
    replicas: store.replicas,
    observer,
    requestTimeoutMs: settings.requestTimeoutMs,
    translate: toRefusal,
  });
  const handler = app.callback();
  // An upload may take as long as a transfer may; the bodies of other requests have a limit of their own.
  const server = createServer(
    {
      requestTimeout: transfers.limits.timeoutMs + ANSWER_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      // Node's refusal would be no problem, and in no log: `require-host.ts` refuses.
      requireHostHeader: false,
    },
    handler,
  );
  // Longer than a load balancer keeps its idle connections: else it sends a request into one that closes at this moment.
  // Node's `headersTimeout` does not run between requests, so it may be shorter.
  server.keepAliveTimeout = settings.keepAliveTimeoutMs;
  const acceptors = new Acceptors(server);
  const silenceMs = SILENCE_MS[settings.environment === 'production' ? 'balanced' : 'direct'];
  const closeOwnServer = gracefulClose(server, acceptors, silenceMs);
  answerUnreadable(server, log, observer);

  let stopEraser = async () => undefined as unknown;
  let stopExpiry = async () => undefined as unknown;
  let stopDormancy = async () => undefined as unknown;
  return {
    server,
    handler,
    acceptors,
    lifecycle,
    transfers,
    load,
    feed,
    readiness,
    start() {
      stopEraser = startEraser({ inUnit, refusedSignIns, log, ...settings.history });
      stopExpiry = startExpiry({ inUnit, log });
      stopDormancy = startDormancy({ inUnit, log, ...settings.dormancy });
      webhooks.start();
    },
    async drain(timeoutMs, closeServer = closeOwnServer) {
      lifecycle.phase = 'draining';
      const [hasFinished] = await Promise.all([closeServer(timeoutMs), webhooks.stop(timeoutMs)]);
      return hasFinished;
    },
    async close() {
      await Promise.all([stopEraser(), stopExpiry(), stopDormancy()]);
      await Promise.all([sightings.close(), refusedSignIns.close(orm.em.fork())]);
      await feed.close();
      await readiness.close();
    },
  };
}

/** The names of hosts that the settings name. */
function knownHosts({ host, publicUrl }: Pick<ApplicationSettings, 'host' | 'publicUrl'>): string[] {
  return [host.toLowerCase(), ...(publicUrl === null ? [] : [new URL(publicUrl).hostname])];
}

/** The provider that people sign in at to the console; `undefined` where none is configured. */
function consoleProvider({
  settings,
  sources,
  log,
  now,
}: Pick<ApplicationOptions, 'settings' | 'sources' | 'log' | 'now'>): SignInProvider | undefined {
  const client = providerClientOf(settings.console, sources.issuers);
  if (client === undefined) return undefined;
  const { issuer } = client.issuer;
  return signInProvider(client, {
    ...(now && { now }),
    proxy: settings.proxy,
    onFailure: ({ message: reason }) =>
      log.warn(
        { issuer, reason },
        'sign-in to the console failed at the provider; check CONSOLE_OIDC_CLIENT_ID, its secret and the network',
      ),
  });
}
