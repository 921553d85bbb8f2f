import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { expect } from 'chai';
import { Webhook as Verifier } from 'standardwebhooks';
import packageJson from '../../../package.json' with { type: 'json' };
import { changeView } from '../../../src/services/history/view.ts';
import { FEED_START } from '../../../src/store/feed-position.ts';
import { accountsIn } from '../../support/accounts.ts';
import { TLS } from '../../support/certificate.ts';
import { expectDescribed } from '../../support/conformance.ts';
import { readFeed } from '../../support/feed.ts';
import {
  openStage,
  startReceiver,
  WEBHOOK_SECRET,
  type WebhookStage,
  webhookTo,
} from '../../support/webhooks.ts';

describe('webhook delivery', () => {
  let stage: WebhookStage;

  beforeEach(async () => {
    stage = await openStage();
  });

  afterEach(() => stage.close());

  const deliveredIds = () => stage.receiver.deliveries.map(({ body }) => body.data.id);

  it('sends a change in the format of the Standard Webhooks specification', async () => {
    await stage.dispatch();
    await stage.invite('grace@example.com');
    await stage.receiver.received(1);
    const [{ headers, body } = expect.fail()] = stage.receiver.deliveries;
    const [entry] = await readFeed(stage.orm.em.fork(), FEED_START, 1);
    const data = entry && changeView(entry.change);
    expect(body).to.deep.equal({ type: 'account.created', timestamp: data?.at, data });
    expect(data?.after).to.include({ email: 'grace@example.com' });
    expect(headers).to.include({
      'content-type': 'application/json',
      'user-agent': `Rollcall/${packageJson.version}`,
    });
    expect(headers['webhook-id']).to.match(new RegExp(`^change_${data?.id}_[0-9a-f]{16}$`));
    expect(headers['webhook-timestamp']).to.match(/^\d{10}$/);
  });

  it('sends creation, update and deletion as events of their own type, as the OpenAPI document says', async () => {
    await stage.dispatch();
    await stage.invite('grace@example.com');
    await stage.rename('grace@example.com', 'Grace');
    await stage.remove('grace@example.com');
    await stage.receiver.received(3);
    expect(stage.receiver.deliveries.map(({ body }) => body.type)).to.deep.equal([
      'account.created',
      'account.updated',
      'account.deleted',
    ]);
    for (const delivery of stage.receiver.deliveries) expectDescribed(delivery);
  });

  it('signs with each secret, the old one and the new', async () => {
    const other = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    await stage.dispatch([webhookTo(stage.receiver, { secrets: [other, WEBHOOK_SECRET] })]);
    await stage.invite('grace@example.com');
    await stage.receiver.received(1);
    const [{ headers, text } = expect.fail()] = stage.receiver.deliveries;
    for (const secret of [other, WEBHOOK_SECRET]) new Verifier(secret).verify(text, headers as never);
    expect(String(headers['webhook-signature']).split(' ')).to.have.length(2);
  });

  it('succeeds over TLS once the certificate is trusted', async () => {
    const receiver = await startReceiver(TLS);
    const trusted = getCACertificates('default');
    try {
      await stage.dispatch([webhookTo(receiver)]);
      await stage.invite('grace@example.com');
      await stage.settled({ attempts: 1, change_id: '0' });
      expect((await stage.row())['last_error']).to.match(/^self-signed certificate/);
      expect(receiver.deliveries).to.deep.equal([]);
      setDefaultCACertificates([...trusted, TLS.cert]);
      await stage.skipWaiting();
      await receiver.received(1);
      await stage.settled({ attempts: 0, change_id: '1' });
    } finally {
      setDefaultCACertificates(trusted);
      await receiver.stop();
    }
  });

  it('sends only changes that match the filter, and skips the others', async () => {
    const hooks = {
      all: {},
      deleted: { actions: ['deleted'] },
      name: { actions: ['updated'], fields: ['name'] },
      theme: { fields: ['preferences.theme'] },
      preferences: { actions: ['updated'], fields: ['preferences'] },
      nothing: { actions: ['created'], fields: ['preferences.nothing'] },
    } as const;
    await stage.dispatch(
      Object.entries(hooks).map(([name, filter]) =>
        webhookTo(stage.receiver, { name, ...filter, url: `${stage.receiver.url}/${name}` }),
      ),
    );
    await stage.invite('grace@example.com');
    await stage.rename('grace@example.com', 'Grace');
    await stage.prefer('grace@example.com', { editor: { tabs: 2 } });
    await stage.prefer('grace@example.com', { theme: 'dark', editor: { tabs: 2 } });
    await stage.remove('grace@example.com');
    for (const name of Object.keys(hooks)) await stage.settled({ change_id: '5', lease_until: null }, name);
    const deliveriesByHook = Map.groupBy(stage.receiver.deliveries, ({ path }) => path.split('/').at(-1));
    const ids = Object.keys(hooks).map((name) => [
      name,
      deliveriesByHook.get(name)?.map(({ body }) => body.data.id) ?? [],
    ]);
    expect(Object.fromEntries(ids)).to.deep.equal({
      all: [1, 2, 3, 4, 5],
      deleted: [5],
      name: [2],
      theme: [4, 5],
      preferences: [3, 4],
      nothing: [],
    });
  });

  it('starts with changes made after the first registration, and resumes where it stopped', async () => {
    await stage.invite('before@example.com');
    const first = await stage.dispatch();
    await stage.invite('during@example.com');
    await stage.receiver.received(1);
    await stage.settled({ lease_until: null });
    await first.stop(10_000);
    await stage.invite('meanwhile@example.com');
    await stage.dispatch();
    await stage.receiver.received(2);
    await stage.settled({ change_id: '3', lease_until: null });
    expect(deliveredIds()).to.deep.equal([2, 3]);
  });

  it('includes a transaction that was open at registration and commits after a younger one', async () => {
    const slow = await stage.database.connect();
    await slow.query('begin');
    await slow.query(
      `insert into changes (actor, user_id, action, fields, version) values ('test', 1, 'created', '{email}', 1)`,
    );
    await stage.dispatch();
    await stage.invite('grace@example.com');
    await slow.query('commit');
    await stage.receiver.received(2);
    expect(deliveredIds()).to.deep.equal([1, 2]);
  });

  it('sends a thousand accounts created in one transaction once each and in order', async () => {
    await stage.dispatch();
    const emails = Array.from({ length: 1_000 }, (_, index) => `u${index}@example.com`);
    await stage.invite(...emails);
    await stage.receiver.received(1_000);
    await stage.settled({ change_id: '1000', lease_until: null });
    expect(deliveredIds()).to.deep.equal(emails.map((_, index) => index + 1));
    expect(await accountsIn(stage.database)).to.have.length(1_000);
  });

  it('sends no values of an account that has been erased', async () => {
    await stage.invite('grace@example.com');
    await stage.database.query('update changes set before = null, after = null, erased_at = now()');
    await stage.database.query(
      `insert into webhooks (name, transaction_id, change_id) values ('hook', '0', 0)`,
    );
    await stage.dispatch();
    await stage.receiver.received(1);
    expect(stage.receiver.deliveries[0]?.body.data).to.include({ before: null, after: null });
    expect(stage.receiver.deliveries[0]?.body.data['erasedAt']).to.be.a('string');
  });

  it('finishes the request in progress on shutdown and sends no other', async () => {
    const dispatcher = await stage.dispatch();
    const held = stage.receiver.hold();
    await stage.invite('grace@example.com', 'ada@example.com');
    await stage.receiver.received(1);
    const stopped = dispatcher.stop(20_000);
    held.answer();
    await stopped;
    expect(await stage.row()).to.include({ change_id: '1', lease_until: null });
    expect(deliveredIds()).to.deep.equal([1]);
  });

  it('repeats a request that shutdown aborted, with the same id', async () => {
    const dispatcher = await stage.dispatch();
    const held = stage.receiver.hold();
    await stage.invite('grace@example.com');
    await stage.receiver.received(1);
    await dispatcher.stop(0);
    expect(await stage.row()).to.include({
      change_id: '0',
      lease_until: null,
      attempts: 0,
      last_error: null,
    });
    held.answer();
    await stage.dispatch();
    await stage.receiver.received(2);
    expect(deliveredIds()).to.deep.equal([1, 1]);
    expect(new Set(stage.receiver.deliveries.map(({ headers }) => headers['webhook-id']))).to.have.property(
      'size',
      1,
    );
  });
});
