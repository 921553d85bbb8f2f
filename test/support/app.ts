import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { MikroORM } from '@mikro-orm/postgresql';
import pino from 'pino';
import { ormOptions } from '../../mikro-orm.config.ts';
import { createApp } from '../../src/app.ts';
import { toDomainError } from '../../src/database/driver-errors.ts';
import { knownMigrations, schemaState } from '../../src/database/schema.ts';
import type { AccessPolicy } from '../../src/domain/access.ts';
import type { PreferenceRules } from '../../src/domain/preferences.ts';
import type { Webhook } from '../../src/domain/webhook.ts';
import type { Endpoint } from '../../src/http/endpoint.ts';
import type { StreamTimes } from '../../src/http/endpoints/changes.ts';
import { endpoints } from '../../src/http/endpoints.ts';
import type { TrustProxy } from '../../src/http/request/forwarded.ts';
import { answerUnreadable } from '../../src/http/server/client-error.ts';
import { type GracefulClose, gracefulClose } from '../../src/http/server/graceful-close.ts';
import { Lifecycle } from '../../src/http/server/lifecycle.ts';
import { cursorCodec } from '../../src/security/cursor.ts';
import { signHs256 } from '../../src/security/hs256.ts';
import type { KeyRing } from '../../src/security/key-ring.ts';
import { type SourceSettings, type Sources, sourcesOf } from '../../src/security/sources.ts';
import { tokenVerifier } from '../../src/security/verifier.ts';
import { admission } from '../../src/services/access/admission.ts';
import { RefusalCounter } from '../../src/services/access/refused-sign-ins.ts';
import { ChangeFeed } from '../../src/services/feed/change-feed.ts';
import { registerWebhooks } from '../../src/services/webhooks/leases.ts';
import { accountLookup } from '../../src/store/account-lookup.ts';
import { changeListener } from '../../src/store/change-listener.ts';
import { type RateLimitSettings, rateLimits } from '../../src/store/rate-limits.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { createMigratedDatabase, type TestDatabase } from './database.ts';

/** The secret under which the tests' tokens are signed. */
export const SECRET = 'a secret for the tests, long enough for anyone';

/** Whose tokens are taken, by these settings: without any, those of the secrets alone. */
export function sources(auth: Partial<SourceSettings> = {}, ring: KeyRing = [SECRET]): Sources {
  const none = { cookieName: null, emailClaim: 'email', issuer: null, jwksUrl: null, audience: null };
  return sourcesOf({ ...none, issuers: [], ...auth }, ring);
}

/** The application as `server.ts` puts it together, on real HTTP and a database of its own. */
export interface TestApp {
  readonly url: string;
  /** Drains it, as a signal does. */
  readonly drain: GracefulClose;
  readonly orm: MikroORM;
  readonly database: TestDatabase;
  readonly lifecycle: Lifecycle;
  /** What has been logged so far, parsed. */
  readonly log: Record<string, unknown>[];
  /** One request; with `as`, in the name of the account with that email. */
  call(path: string, options?: RequestInit & { as?: string }): Promise<Response>;
  /** Ends it, and leaves the database to others. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts it. `extra` are endpoints that only a test has a use for; `database` is one made before (it goes with the app),
 * and `through` another way to it. `sources` are whose tokens it takes, `now` is the clock that they are held to. There are
 * no limits but those that are given. `webhooks` are known to it, and told by nobody.
 */
export async function startApp(
  options: {
    extra?: Endpoint[];
    database?: TestDatabase;
    through?: string;
    preferenceRules?: PreferenceRules;
    corsOrigins?: readonly string[];
    trustProxy?: TrustProxy;
    rateLimit?: Partial<RateLimitSettings>;
    sources?: Sources;
    now?: () => Date;
    accessPolicy?: AccessPolicy;
    streamTimes?: Partial<StreamTimes>;
    webhooks?: readonly Webhook[];
  } = {},
): Promise<TestApp> {
  const database = options.database ?? (await createMigratedDatabase());
  const log: Record<string, unknown>[] = [];
  const sink = new Writable({
    write(line: Buffer, _encoding, done) {
      log.push(JSON.parse(line.toString()));
      done();
    },
  });
  const logger = pino({ level: 'info' }, sink);
  const reached = { ...database, url: options.through ?? database.url };
  const orm = await MikroORM.init(ormOptions(reached));
  const known = await knownMigrations(orm);
  const webhooks = options.webhooks ?? [];
  await registerWebhooks(orm.em.fork(), webhooks);
  const lifecycle = new Lifecycle();
  const taken = options.sources ?? sources();
  const onProviderFailure = (issuer: string, { message: reason }: Error) =>
    logger.warn({ issuer, reason }, 'the identity provider does not tell its keys');
  const inUnit = unitsOfWork(orm);
  const refusals = new RefusalCounter();
  const policy = options.accessPolicy ?? { policy: 'invited', domains: [] };
  const feed = new ChangeFeed({
    em: orm.em.fork(),
    listen: changeListener(reached, 'direct', {
      onLost: ({ message }) => logger.warn({ reason: message }, 'not told of changes'),
      onRestored: () => logger.info('told of changes again'),
    }),
    onError: (error) => logger.warn({ err: error }, 'the change feed cannot be read'),
  });
  const app = createApp({
    inUnit,
    log: logger,
    lifecycle,
    verifier: await tokenVerifier(taken, { onProviderFailure, ...(options.now && { now: options.now }) }),
    sessionCookies: taken.cookieNames,
    admit: admission({ findAccount: accountLookup(orm, 'direct'), policy, refusals, inUnit }),
    endpoints: [
      ...endpoints({
        lifecycle,
        feed,
        ...(options.streamTimes && { streamTimes: options.streamTimes }),
        accessPolicy: policy,
        refusals,
        cursors: cursorCodec(...taken.ring),
        preferenceRules: options.preferenceRules ?? { maxBytes: 16_384 },
        webhooks,
        pendingMigrations: async (em) => (await schemaState(em, known)).pending,
      }),
      ...(options.extra ?? []),
    ],
    corsOrigins: options.corsOrigins ?? [],
    trustProxy: options.trustProxy ?? 0,
    rateLimits: await rateLimits(
      { failures: 0, requests: 0, store: 'memory', ...options.rateLimit },
      orm,
      'direct',
      logger,
    ),
    translate: toDomainError,
  });
  const server = createServer(app.callback());
  const closeServer = gracefulClose(server);
  answerUnreadable(server, logger);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  lifecycle.phase = 'ready';
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const stop = async () => {
    if (server.listening) server.close();
    server.closeAllConnections();
    await feed.close();
    await orm.close(true);
  };

  return {
    url,
    drain: (timeoutMs) => {
      lifecycle.phase = 'draining';
      return closeServer(timeoutMs);
    },
    orm,
    database,
    lifecycle,
    log,
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
