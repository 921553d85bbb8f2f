import { randomUUID } from 'node:crypto';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { ormOptions } from '../../../mikro-orm.config.ts';
import { signHs256 } from '../../../src/security/hmac.ts';
import { SECRET } from '../../support/app.ts';
import { startProxy } from '../../support/proxy.ts';
import { type ServerProcess, startServer } from '../../support/server-process.ts';
import { until } from '../../support/until.ts';
import { openStage, WEBHOOK_SECRET, type WebhookStage, webhookTo } from '../../support/webhooks.ts';

describe('webhook delivery by several replicas', () => {
  let stage: WebhookStage;

  beforeEach(async () => {
    stage = await openStage();
  });

  afterEach(() => stage.close());

  const deliveredIds = () => stage.receiver.deliveries.map(({ body }) => body.data.id);
  const expireLeases = () =>
    stage.database.query("update webhooks set lease_until = clock_timestamp() - interval '1 ms'");

  it('sends each change once while all replicas are healthy', async () => {
    const hooks = ['one', 'two', 'three'].map((name) =>
      webhookTo(stage.receiver, { name, url: `${stage.receiver.url}/${name}` }),
    );
    for (let replica = 0; replica < 3; replica++) await stage.dispatch(hooks);
    const emails = Array.from({ length: 100 }, (_, index) => `u${index}@example.com`);
    await Promise.all(emails.map((email) => stage.invite(email)));
    await stage.receiver.received(300);
    await until('all leases are released', async () => {
      const held = await stage.database.query('select from webhooks where lease_until is not null');
      return held.length === 0;
    });
    const paths = Map.groupBy(stage.receiver.deliveries, ({ path }) => path);
    expect(paths.size).to.equal(3);
    for (const [, deliveries] of paths) {
      expect(deliveries).to.have.length(100);
      expect(new Set(deliveries.map(({ body }) => body.data.id))).to.have.property('size', 100);
    }
  });

  it('leaves a leased webhook to its holder, and takes it over when the lease expires', async () => {
    const lease = { lease_holder: randomUUID(), lease_until: new Date(Date.now() + 3_600_000) };
    const dispatcher = await stage.dispatch();
    await dispatcher.stop(10_000);
    await stage.database.query(
      'update webhooks set lease_holder = $1, lease_until = $2',
      Object.values(lease),
    );
    await stage.dispatch();
    await stage.dispatch([webhookTo(stage.receiver, { name: 'free', url: `${stage.receiver.url}/free` })]);
    await stage.invite('grace@example.com');
    await stage.settled({ change_id: '1', lease_until: null }, 'free');
    expect(await stage.row()).to.deep.include({ change_id: '0', ...lease });
    await expireLeases();
    await stage.settled({ change_id: '1', lease_until: null });
    expect(deliveredIds()).to.deep.equal([1, 1]);
  });

  for (const status of [204, 500]) {
    it(`ignores the answer ${status} to a replica that has lost its lease`, async () => {
      const other = { lease_holder: randomUUID(), lease_until: new Date(Date.now() + 3_600_000) };
      const dispatcher = await stage.dispatch();
      const held = stage.receiver.hold();
      await stage.invite('grace@example.com');
      await stage.receiver.received(1);
      await stage.database.query(
        'update webhooks set lease_holder = $1, lease_until = $2',
        Object.values(other),
      );
      held.answer(status);
      await dispatcher.stop(20_000);
      expect(await stage.row()).to.deep.include({ change_id: '0', attempts: 0, ...other });
    });
  }

  it('waits out a database outage and continues', async () => {
    const proxy = await startProxy(stage.database.url);
    const orm = await MikroORM.init({
      ...ormOptions({ ...stage.database, url: proxy.url }),
      logger: () => undefined,
    });
    await stage.dispatch([webhookTo(stage.receiver)], { em: orm.em.fork() });
    await proxy.cut();
    await stage.invite('grace@example.com');
    await proxy.mend();
    await stage.settled({ change_id: '1', lease_until: null });

    // The same in the middle of a delivery.
    const held = stage.receiver.hold();
    await stage.invite('ada@example.com');
    await stage.receiver.received(2);
    await proxy.cut();
    held.answer();
    await proxy.mend();
    await stage.settled({ change_id: '2', lease_until: null });
    expect(new Set(deliveredIds())).to.deep.equal(new Set([1, 2]));
    await orm.close(true);
    await proxy.close();
  });

  it('sends the database no queries when no webhooks are configured', async () => {
    const proxy = await startProxy(stage.database.url);
    const orm = await MikroORM.init(ormOptions({ ...stage.database, url: proxy.url }));
    await stage.dispatch([], { em: orm.em.fork() });
    await stage.dispatch();
    await stage.invite('grace@example.com');
    await stage.receiver.received(1);
    expect(proxy.statements()).to.equal(0);
    await orm.close(true);
    await proxy.close();
  });
});

describe('webhook delivery by the server', function () {
  this.timeout(120_000);

  let stage: WebhookStage;
  let servers: ServerProcess[];

  beforeEach(async () => {
    stage = await openStage();
    servers = [];
  });

  afterEach(async () => {
    await Promise.all(servers.map((server) => server.end('SIGKILL')));
    await stage.close();
  });

  const start = async () => {
    const server = startServer({
      DATABASE_URL: stage.database.url,
      INITIAL_ADMINS: 'ada@example.com',
      WEBHOOKS: JSON.stringify([{ name: 'hook', url: stage.receiver.url, secret: WEBHOOK_SECRET }]),
      WEBHOOKS_ALLOW_PRIVATE: 'true',
    });
    servers.push(server);
    return { server, address: await server.ready() };
  };
  const create = async (address: string, email: string) => {
    const token = await signHs256(SECRET, 'ada@example.com', '1h');
    const response = await fetch(`${address}/v1/users`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ email }),
    });
    expect(response.status).to.equal(201);
  };
  const emails = () =>
    stage.receiver.deliveries.map(({ body }) => (body.data['after'] as { email: string }).email);

  it('covers all changes after the start, even when a replica is killed during a delivery', async () => {
    const first = await start();
    const held = stage.receiver.hold();
    await create(first.address, 'grace@example.com');
    await stage.receiver.received(1);
    await first.server.end('SIGKILL');
    held.answer();
    const second = await start();
    await create(second.address, 'alan@example.com');
    await stage.database.query("update webhooks set lease_until = clock_timestamp() - interval '1 ms'");
    await stage.receiver.received(3);
    expect(emails()).to.deep.equal(['grace@example.com', 'grace@example.com', 'alan@example.com']);
    expect(await second.server.end('SIGTERM')).to.equal(0);
  });

  it('finishes the delivery in progress when the server drains', async () => {
    const { server, address } = await start();
    const held = stage.receiver.hold();
    await create(address, 'grace@example.com');
    await stage.receiver.received(1);
    server.child.kill('SIGTERM');
    await server.said('stopping');
    held.answer();
    expect(await server.ended()).to.equal(0);
    const [row] = await stage.database.query(
      `select lease_until, change_id = (select max(id) from changes) as "isDelivered" from webhooks`,
    );
    expect(row).to.deep.equal({ lease_until: null, isDelivered: true });
  });
});
