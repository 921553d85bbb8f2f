import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { MikroORM } from '@mikro-orm/postgresql';
import pino from 'pino';
import { Webhook as Verifier } from 'standardwebhooks';
import { ormOptions } from '../../mikro-orm.config.ts';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import type { Preferences } from '../../src/domain/preferences.ts';
import { User } from '../../src/domain/user.ts';
import type { Webhook } from '../../src/domain/webhook.ts';
import { DIRECT } from '../../src/security/web-client.ts';
import { ChangeFeed } from '../../src/services/feed/change-feed.ts';
import { Dispatcher, type DispatcherDeps } from '../../src/services/webhooks/dispatcher.ts';
import { registerWebhooks } from '../../src/services/webhooks/leases.ts';
import { changeListener } from '../../src/store/change-listener.ts';
import { CHANGES_CHANNEL } from '../../src/store/change-log.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { createMigratedDatabase, type TestDatabase } from './database.ts';
import { until } from './until.ts';

/** A secret that a webhook and its receiver share. */
export const WEBHOOK_SECRET = `whsec_${Buffer.from('only-for-tests-0123456789-abcdef').toString('base64')}`;

/** A delivery that a receiver got. */
export interface Delivery {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The body exactly as sent. */
  readonly text: string;
  readonly body: {
    type: string;
    timestamp: string;
    data: Record<string, unknown> & { id: number; userId: number };
  };
}

/** How a receiver answers a delivery. */
export type Behaviour = (delivery: Delivery, response: ServerResponse) => unknown;

/** A receiver of webhooks on loopback that verifies the signature of each delivery. */
export interface Receiver {
  readonly url: string;
  /** All deliveries so far, including repeated ones. */
  readonly deliveries: Delivery[];
  /** Sets the answers from now on. Default: 204. */
  behave(behaviour: Behaviour): void;
  /** Holds back all answers from now on. `answer` sends them and restores the default. */
  hold(): { answer(status?: number): void };
  /** Waits for this many deliveries. */
  received(count: number): Promise<void>;
  /** Stops, and breaks open connections. */
  stop(): Promise<void>;
  /** Starts again at the same address. */
  start(): Promise<void>;
}

/** Answers 204. */
export const accept: Behaviour = (_, response) => response.writeHead(204).end();

/** Answers with this status and these headers. */
export const answering =
  (status: number, headers: Record<string, string> = {}): Behaviour =>
  (_, response) =>
    response.writeHead(status, headers).end();

/** Starts a receiver; with `tls`, on HTTPS. */
export async function startReceiver(tls?: { key: string; cert: string }): Promise<Receiver> {
  const verifier = new Verifier(WEBHOOK_SECRET);
  const deliveries: Delivery[] = [];
  let behaviour = accept;
  let server: ReturnType<typeof createServer>;
  let port = 0;
  const start = async () => {
    const listener: RequestListener = async (request, response) => {
      let text = '';
      for await (const chunk of request.setEncoding('utf8')) text += chunk;
      // An invalid signature throws here and ends the tests.
      const body = verifier.verify(text, request.headers as Record<string, string>) as Delivery['body'];
      const delivery = { path: request.url ?? '', headers: request.headers, text, body };
      deliveries.push(delivery);
      await behaviour(delivery, response);
    };
    server = tls ? createTlsServer(tls, listener) : createServer(listener);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  };
  await start();
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}/hook`,
    deliveries,
    behave(next) {
      behaviour = next;
    },
    hold() {
      const held: ServerResponse[] = [];
      behaviour = (_, response) => held.push(response);
      return {
        answer(status = 204) {
          behaviour = accept;
          for (const response of held) response.writeHead(status).end();
        },
      };
    },
    received: async (count) => {
      await until(`${count} deliveries`, () => deliveries.length >= count, 100_000);
    },
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
    start,
  };
}

/** A webhook to a receiver, by default for every change. */
export function webhookTo(receiver: Receiver, { name = 'hook', ...rest }: Partial<Webhook> = {}): Webhook {
  return { name, url: receiver.url, secrets: [WEBHOOK_SECRET], actions: null, fields: null, ...rest };
}

/** A database, a receiver, and dispatchers that deliver changes from one to the other. */
export interface WebhookStage {
  readonly database: TestDatabase;
  readonly orm: MikroORM;
  readonly receiver: Receiver;
  /** Starts a dispatcher, as a replica does, by default with one webhook to the receiver for every change. */
  dispatch(hooks?: readonly Webhook[], options?: Partial<DispatcherDeps>): Promise<Dispatcher>;
  /** Creates accounts in one transaction. */
  invite(...emails: string[]): Promise<void>;
  rename(email: string, name: string): Promise<void>;
  prefer(email: string, preferences: Preferences): Promise<void>;
  remove(email: string): Promise<void>;
  /** The row of a webhook. */
  row(name?: string): Promise<Record<string, unknown>>;
  /** Waits until the row of a webhook has these values. */
  settled(values: Record<string, unknown>, name?: string): Promise<void>;
  /** Makes the next attempt of every webhook due now. */
  skipWaiting(): Promise<void>;
  close(): Promise<void>;
}

/** Sets up a stage. */
export async function openStage(): Promise<WebhookStage> {
  const database = await createMigratedDatabase();
  const orm = await MikroORM.init(ormOptions(database));
  const receiver = await startReceiver();
  const dispatchers: Dispatcher[] = [];
  const feed = new ChangeFeed({
    em: orm.em.fork(),
    listen: changeListener(database, 'direct', { onLost: () => undefined, onRestored: () => undefined }),
    onError: () => undefined,
  });
  const inUnit = unitsOfWork(orm, COMMAND_LINE);
  const row = async (name = 'hook') =>
    (await database.query('select * from webhooks where name = $1', [name]))[0] ?? {};
  return {
    database,
    orm,
    receiver,
    row,
    async dispatch(hooks = [webhookTo(receiver)], options = {}) {
      await registerWebhooks(orm.em.fork(), hooks);
      const dispatcher = new Dispatcher({
        em: orm.em.fork(),
        log: pino({ level: 'silent' }),
        feed,
        hooks,
        allowPrivate: true,
        proxy: DIRECT,
        ...options,
      });
      dispatchers.push(dispatcher);
      dispatcher.start();
      return dispatcher;
    },
    invite: (...emails) =>
      inUnit(async ({ em }) => {
        for (const email of emails) em.persist(new User(email));
      }),
    rename: (email, name) =>
      inUnit(async ({ em }) => {
        (await em.findOneOrFail(User, { email })).name = name;
      }),
    prefer: (email, preferences) =>
      inUnit(async ({ em }) => {
        (await em.findOneOrFail(User, { email })).preferences = preferences;
      }),
    remove: (email) =>
      inUnit(async ({ em }) => {
        em.remove(await em.findOneOrFail(User, { email }));
      }),
    async settled(values, name) {
      await until(JSON.stringify(values), async () => {
        const found = await row(name);
        return Object.entries(values).every(([column, value]) => found[column] === value);
      });
    },
    async skipWaiting() {
      await database.query('update webhooks set next_attempt_at = clock_timestamp()');
      await database.query(`notify ${CHANGES_CHANNEL}`);
    },
    async close() {
      await Promise.all(dispatchers.map((dispatcher) => dispatcher.stop(0)));
      await receiver.stop();
      await feed.close();
      await orm.close(true);
      await database.drop();
    },
  };
}
