import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { MikroORM } from '@mikro-orm/postgresql';
import pino from 'pino';
import { ormOptions } from '../../mikro-orm.config.ts';
import { createApp } from '../../src/app.ts';
import type { PreferenceRules } from '../../src/domain/preferences.ts';
import type { Webhook } from '../../src/domain/webhook.ts';
import { answerUnreadable } from '../../src/http/client-error.ts';
import type { Endpoint } from '../../src/http/endpoint.ts';
import { endpoints } from '../../src/http/endpoints.ts';
import { type GracefulClose, gracefulClose } from '../../src/http/graceful-close.ts';
import { Lifecycle } from '../../src/http/lifecycle.ts';
import { accountLookup } from '../../src/persistence/account-lookup.ts';
import { toDomainError } from '../../src/persistence/driver-errors.ts';
import { knownMigrations, schemaState } from '../../src/persistence/schema.ts';
import { unitsOfWork } from '../../src/persistence/unit-of-work.ts';
import { cursorCodec } from '../../src/security/cursor.ts';
import { hs256Verifier, signHs256 } from '../../src/security/token.ts';
import { registerWebhooks } from '../../src/services/webhooks/rows.ts';
import { createMigratedDatabase, type TestDatabase } from './database.ts';

/** The secret under which the tests' tokens are signed. */
export const SECRET = 'a secret for the tests, long enough for anyone';

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
  close(): Promise<void>;
}

/**
 * Starts it. `extra` are endpoints that only a test has a use for; `database` is one made before (it goes with the app),
 * and `through` another way to it. `webhooks` are known to it, and told by nobody.
 */
export async function startApp(
  options: {
    extra?: Endpoint[];
    database?: TestDatabase;
    through?: string;
    preferenceRules?: PreferenceRules;
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
  const orm = await MikroORM.init(ormOptions({ ...database, url: options.through ?? database.url }));
  const known = await knownMigrations(orm);
  const webhooks = options.webhooks ?? [];
  await registerWebhooks(orm.em.fork(), webhooks);
  const lifecycle = new Lifecycle();
  const app = createApp({
    inUnit: unitsOfWork(orm),
    log: logger,
    lifecycle,
    verifier: hs256Verifier(SECRET),
    findAccount: accountLookup(orm, 'direct'),
    endpoints: [
      ...endpoints({
        lifecycle,
        cursors: cursorCodec(SECRET),
        preferenceRules: options.preferenceRules ?? { maxBytes: 16_384 },
        webhooks,
        pendingMigrations: async (em) => (await schemaState(em, known)).pending,
      }),
      ...(options.extra ?? []),
    ],
    translate: toDomainError,
  });
  const server = createServer(app.callback());
  const closeServer = gracefulClose(server);
  answerUnreadable(server, logger);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  lifecycle.phase = 'ready';
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

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
    async close() {
      if (server.listening) server.close();
      server.closeAllConnections();
      await orm.close(true);
      await database.drop();
    },
  };
}
