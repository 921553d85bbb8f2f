import type { ServerResponse } from 'node:http';
import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { type ConformingApp, conforming, expectDescribed } from '../support/conformance.ts';
import { placeOf } from '../support/feed.ts';
import { expectProblem } from '../support/problem.ts';
import { answering, type Receiver, startReceiver, WEBHOOK_SECRET, webhookTo } from '../support/webhooks.ts';

const ADA = 'ada@example.com';
const GRACE = 'grace@example.com';
const TIME = '2026-02-01T08:30:00.123Z';

const secrets = [WEBHOOK_SECRET];
const HOOKS = [
  {
    name: 'crm',
    url: 'https://crm.example.com:8443/hooks/7?token=hunter2',
    secrets,
    actions: ['created', 'deleted'],
    fields: ['role', 'preferences.theme'],
  },
  { name: 'billing', url: 'https://billing.example.com/', secrets, actions: null, fields: null },
] as const;

describe('GET /v1/webhooks', () => {
  let app: ConformingApp;

  before(async () => {
    app = await conforming(await startApp({ webhooks: HOOKS }));
    await addAccount(app.database, ADA, { role: 'admin' });
    await addAccount(app.database, GRACE);
  });

  after(() => app.close());

  it('shows admins the delivery status of each configured webhook, and no secret', async () => {
    await app.database.query(
      `update webhooks set transaction_id = '0', attempts = 3, failing_since = $1, failing_change_id = 1,
         next_attempt_at = $1, last_error = 'the answer was 503', last_delivered_at = $1 where name = 'crm'`,
      [TIME],
    );
    await app.database.query(
      `insert into webhooks (name, transaction_id, change_id) values ('former', '0', 0)`,
    );
    const [billing] = await app.database.query(
      `select transaction_id::text || '-' || change_id as cursor from webhooks where name = 'billing'`,
    );
    const response = await app.call('/v1/webhooks', { as: ADA });
    const text = await response.text();
    expect(response.status, text).to.equal(200);
    expect(text).not.to.include('hunter2');
    expect(text).not.to.include(WEBHOOK_SECRET);
    const { items } = JSON.parse(text) as { items: { cursor: string }[] };
    expect({ items: items.map((item) => ({ ...item, cursor: placeOf(item.cursor) })) }).to.deep.equal({
      items: [
        {
          name: 'crm',
          url: 'https://crm.example.com:8443',
          actions: ['created', 'deleted'],
          fields: ['role', 'preferences.theme'],
          state: 'retrying',
          cursor: '0-0',
          pendingSince: '2020-01-02T03:04:05.678Z',
          failingChangeId: 1,
          attempts: 3,
          failingSince: TIME,
          nextAttemptAt: TIME,
          lastError: 'the answer was 503',
          lastDeliveredAt: TIME,
        },
        {
          name: 'billing',
          url: 'https://billing.example.com',
          actions: null,
          fields: null,
          state: 'active',
          cursor: billing?.['cursor'],
          pendingSince: '2020-01-02T03:04:05.678Z',
          failingChangeId: null,
          attempts: 0,
          failingSince: null,
          nextAttemptAt: null,
          lastError: null,
          lastDeliveredAt: null,
        },
      ],
    });
  });

  it('is for admins', async () => {
    await expectProblem(await app.call('/v1/webhooks', { as: GRACE }), 403, 'forbidden');
    await expectProblem(await app.call('/v1/webhooks'), 401, 'unauthenticated');
  });

  it('is empty when none is configured', async () => {
    const other = await startApp();
    await addAccount(other.database, ADA, { role: 'admin' });
    expect(await (await other.call('/v1/webhooks', { as: ADA })).json()).to.deep.equal({ items: [] });
    await other.close();
  });
});

describe('POST /v1/webhooks/{name}/resume', () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await conforming(await startApp({ webhooks: HOOKS }));
    await addAccount(app.database, ADA, { role: 'admin' });
    await addAccount(app.database, GRACE);
    await app.database.query(
      `update webhooks set transaction_id = '0', change_id = 0, attempts = 30, failing_since = $1, failing_change_id = 2,
         next_attempt_at = $1, parked_at = $1, last_error = 'the answer was 500', last_delivered_at = $1`,
      [TIME],
    );
  });

  afterEach(() => app.close());

  const rows = () => app.database.query('select * from webhooks order by name');
  const resume = (query = '', name = 'crm', as = ADA) =>
    app.call(`/v1/webhooks/${name}/resume${query}`, { method: 'POST', as });

  it('resumes a parked webhook from its position', async () => {
    const response = await resume();
    expect(response.status).to.equal(200);
    expect(await response.json()).to.deep.include({
      name: 'crm',
      state: 'active',
      cursor: '0-0',
      failingChangeId: null,
      attempts: 0,
      failingSince: null,
      nextAttemptAt: null,
      lastError: null,
      lastDeliveredAt: TIME,
    });
    const [billing, crm] = await rows();
    expect(crm).to.include({ parked_at: null, attempts: 0, change_id: '0' });
    expect(billing).to.include({ attempts: 30 });
  });

  it('skips the failing change, and no other', async () => {
    expect(await (await resume('?skip=1', 'billing')).json()).to.include({ cursor: '0-0', state: 'active' });
    const [{ cursor } = expect.fail()] = await app.database.query<{ cursor: string }>(
      `select transaction_id::text || '-' || id as cursor from changes where id = 2`,
    );
    // Repeating the request changes nothing.
    for (let times = 0; times < 2; times++) {
      const status = (await (await resume('?skip=2')).json()) as { cursor: string };
      expect(status).to.include({ state: 'active', pendingSince: null });
      expect(placeOf(status.cursor)).to.equal(cursor);
    }
  });

  it('supports a dry run, like every write', async () => {
    const before = await rows();
    const response = await resume('?skip=2&dryRun=true');
    expect(response.status).to.equal(200);
    expect(await response.json()).to.deep.equal({ changes: [] });
    expect(await rows()).to.deep.equal(before);
  });

  it('accepts configured webhooks only, and leaves others as they are', async () => {
    await app.database.query(`update webhooks set name = 'former' where name = 'crm'`);
    const before = await rows();
    for (const name of ['former', 'crm', 'nobody', '%00', 'CRM']) {
      await expectProblem(await resume('', name), 404, 'not_found');
    }
    expect(await rows()).to.deep.equal(before);
  });

  it('refuses an invalid id to skip', async () => {
    for (const skip of ['true', '0', '-1', '1.5', '', '9999999999999999']) {
      await expectProblem(await resume(`?skip=${skip}`), 400, 'invalid_query');
    }
  });

  it('is for admins', async () => {
    await expectProblem(await resume('', 'crm', GRACE), 403, 'forbidden');
  });
});

describe('POST /v1/webhooks/{name}/test', () => {
  let app: TestApp;
  let receiver: Receiver;

  beforeEach(async () => {
    receiver = await startReceiver();
    app = await conforming(await startApp({ webhooks: [webhookTo(receiver, { name: 'crm' }), HOOKS[1]] }));
    await addAccount(app.database, ADA, { role: 'admin' });
    await addAccount(app.database, GRACE);
  });

  afterEach(async () => {
    await app.close();
    await receiver.stop();
  });

  const rows = () => app.database.query('select * from webhooks order by name');
  const test = (query = '', { name = 'crm', as = ADA, headers = {} } = {}) =>
    app.call(`/v1/webhooks/${name}/test${query}`, { method: 'POST', as, headers });

  it('sends a signed message, and leaves the deliveries as they are', async () => {
    await app.database.query(
      `update webhooks set attempts = 3, failing_since = $1, failing_change_id = 2, parked_at = $1, last_error = 'x'`,
      [TIME],
    );
    const before = await rows();
    const response = await test();
    expect(response.status).to.equal(200);
    const { milliseconds, ...trial } = (await response.json()) as { milliseconds: number };
    expect(trial).to.deep.equal({ accepted: true, status: 204, reason: null });
    expect(milliseconds).to.be.within(0, 15_000);
    // The receiver has verified the signature.
    const [delivery, ...others] = receiver.deliveries;
    expect(others).to.deep.equal([]);
    expect(delivery?.body).to.deep.include({ type: 'webhook.test', data: { webhook: 'crm' } });
    expectDescribed(delivery ?? expect.fail());
    expect(delivery?.headers['webhook-id']).to.match(/^test_[0-9a-f-]{36}$/);
    expect(await rows()).to.deep.equal(before);
  });

  it('says what the receiver answered, or why it did not', async () => {
    receiver.behave(answering(503));
    expect(await (await test()).json()).to.include({
      accepted: false,
      status: 503,
      reason: 'the answer was 503',
    });
    receiver.behave(answering(302, { Location: 'https://elsewhere.example.com/' }));
    expect(await (await test()).json()).to.include({ accepted: false, status: 302 });
    await receiver.stop();
    const trial = (await (await test()).json()) as { reason: string };
    expect(trial).to.include({ accepted: false, status: null });
    expect(trial.reason).to.include('ECONNREFUSED');
    await receiver.start();
  });

  it('takes no place from other requests while the receiver takes its time', async () => {
    const held = Promise.withResolvers<ServerResponse>();
    receiver.behave((_, response) => held.resolve(response));
    const answer = test();
    const response = await held.promise;
    expect(app.load.state.inFlight).to.equal(0);
    response.writeHead(204).end();
    expect(await (await answer).json()).to.include({ accepted: true });
  });

  it('sends nothing in a dry run, and once for an Idempotency-Key', async () => {
    expect(await (await test('?dryRun=true')).json()).to.deep.equal({ changes: [] });
    expect(receiver.deliveries).to.have.length(0);
    const headers = { 'Idempotency-Key': '"only-once"' };
    const first = await (await test('', { headers })).json();
    expect(await (await test('', { headers })).json()).to.deep.equal(first);
    expect(receiver.deliveries).to.have.length(1);
  });

  it('is for admins and for configured webhooks', async () => {
    await expectProblem(await test('', { as: GRACE }), 403, 'forbidden');
    await expectProblem(await test('', { name: 'nobody' }), 404, 'not_found');
    await expectProblem(await test('?dryRun=true', { name: 'nobody' }), 404, 'not_found');
    expect(receiver.deliveries).to.have.length(0);
  });
});
