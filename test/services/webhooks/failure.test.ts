import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { claimWebhooks, fail } from '../../../src/services/webhooks/leases.ts';
import { resumeWebhook } from '../../../src/services/webhooks/status.ts';
import { renewEpoch } from '../../../src/store/feed-epoch.ts';
import { FEED_START } from '../../../src/store/feed-position.ts';
import { unitsOfWork } from '../../../src/store/unit-of-work.ts';
import { readFeed } from '../../support/feed.ts';
import { until } from '../../support/until.ts';
import {
  accept,
  answering,
  type Delivery,
  openStage,
  type WebhookStage,
  webhookTo,
} from '../../support/webhooks.ts';

describe('webhook failure handling', () => {
  let stage: WebhookStage;

  beforeEach(async () => {
    stage = await openStage();
  });

  afterEach(() => stage.close());

  const deliveredIds = () => stage.receiver.deliveries.map(({ body }) => body.data.id);
  const failed = (reason: string, attempts = 1) =>
    stage.settled({
      attempts,
      last_error: reason,
      failing_change_id: '1',
      change_id: '0',
      lease_until: null,
    });
  const resume = (skip?: number) => {
    return unitsOfWork(stage.orm)((unit) =>
      resumeWebhook(unit, [webhookTo(stage.receiver)], { name: 'hook', skip }),
    );
  };

  it('retries the same change later and keeps the others waiting', async () => {
    stage.receiver.behave(answering(500));
    await stage.dispatch();
    await stage.invite('grace@example.com');
    await failed('the answer was 500');
    await stage.invite('ada@example.com');
    await stage.skipWaiting();
    await failed('the answer was 500', 2);
    const row = await stage.row();
    expect(row['next_attempt_at']).to.be.greaterThan(row['failing_since'] as Date);
    expect(deliveredIds()).to.deep.equal([1, 1]);

    stage.receiver.behave(accept);
    await stage.skipWaiting();
    await stage.settled({
      change_id: '2',
      attempts: 0,
      failing_since: null,
      failing_change_id: null,
      last_error: null,
    });
    expect(deliveredIds()).to.deep.equal([1, 1, 1, 2]);
  });

  it('delivers each change at least once, and those of an account in order, when some attempts fail', async () => {
    const accepted: Delivery[] = [];
    let count = 0;
    stage.receiver.behave((delivery, response) => {
      if (++count % 7 === 0) return answering(503)(delivery, response);
      accepted.push(delivery);
      return accept(delivery, response);
    });
    await stage.dispatch();
    const emails = Array.from({ length: 20 }, (_, index) => `u${index}@example.com`);
    await stage.invite(...emails);
    for (const round of ['a', 'b', 'c']) {
      await Promise.all(emails.map((email) => stage.rename(email, `${email} ${round}`)));
    }
    await until('all changes are delivered', async () => {
      await stage.skipWaiting();
      return new Set(accepted.map(({ body }) => body.data.id)).size === 80;
    });
    for (const [, deliveries] of Map.groupBy(accepted, ({ body }) => body.data.userId)) {
      expect(deliveries.map(({ body }) => body.data['version'])).to.deep.equal([1, 2, 3, 4]);
    }
  });

  it('gives up on a receiver that hangs, without delaying the feed or other webhooks', async () => {
    const { receiver } = stage;
    receiver.behave(({ path }, response) => path === '/well' && response.writeHead(204).end());
    const hooks = [
      webhookTo(receiver),
      webhookTo(receiver, { name: 'well', url: new URL('/well', receiver.url).href }),
    ];
    await stage.dispatch(hooks, { timeoutMs: 2_000 });
    await stage.invite('grace@example.com');
    await receiver.received(2);
    await stage.invite('ada@example.com');
    expect(await readFeed(stage.orm.em.fork(), FEED_START, 10)).to.have.length(2);
    await stage.settled({ change_id: '2' }, 'well');
    await failed('no answer within 2000 ms');
  });

  it('counts an answer whose body never ends as a success', async () => {
    stage.receiver.behave((_, response) => response.writeHead(200).write('to be continued'));
    await stage.dispatch([webhookTo(stage.receiver)], { timeoutMs: 2_000 });
    await stage.invite('grace@example.com', 'ada@example.com');
    await stage.settled({ change_id: '2', attempts: 0 });
    expect(deliveredIds()).to.deep.equal([1, 2]);
  });

  it('closes the connection of a receiver that sends without end', async () => {
    const closed: Promise<unknown>[] = [];
    stage.receiver.behave((_, response) => {
      closed.push(once(response, 'close'));
      response.writeHead(200);
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
        response.once('drain', more);
      };
      more();
    });
    await stage.dispatch();
    await stage.invite('grace@example.com', 'ada@example.com');
    await stage.settled({ change_id: '2', attempts: 0 });
    await Promise.all(closed);
    expect(deliveredIds()).to.deep.equal([1, 2]);
  });

  it('counts a broken connection or an answer that is not HTTP as a failure', async () => {
    stage.receiver.behave((_, response) => response.destroy());
    await stage.dispatch();
    await stage.invite('grace@example.com');
    await failed('other side closed');
    stage.receiver.behave((_, response) => response.socket?.end('what?\r\n\r\n'));
    await stage.skipWaiting();
    await until('another attempt', async () => (await stage.row())['attempts'] === 2);
    expect((await stage.row())['last_error']).to.match(/^Response does not match the HTTP/);
  });

  for (const status of [301, 302, 303, 307, 308]) {
    it(`counts the redirect ${status} as a failure and does not follow it`, async () => {
      const other = createServer((_, response) => response.end()).listen(0, '127.0.0.1');
      await once(other, 'listening');
      let asked = 0;
      other.on('connection', () => asked++);
      const location = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
      stage.receiver.behave(answering(status, { location }));
      await stage.dispatch();
      await stage.invite('grace@example.com');
      await failed(`the answer was ${status}`);
      expect(asked).to.equal(0);
      other.close();
      await once(other, 'close');
    });
  }

  for (const host of ['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]']) {
    it(`sends nothing to the private address ${host} unless private addresses are allowed`, async () => {
      const url = stage.receiver.url.replace('127.0.0.1', host);
      await stage.dispatch([webhookTo(stage.receiver, { url })], { allowPrivate: false });
      await stage.invite('grace@example.com');
      await stage.settled({ attempts: 1, change_id: '0' });
      expect((await stage.row())['last_error']).to.match(/^\S+ (is|has) a private address/);
      expect(deliveredIds()).to.deep.equal([]);
    });
  }

  it('uses a new connection when the receiver has closed the old one, and counts no failure', async () => {
    const known = new Set<unknown>();
    const accepted: number[] = [];
    stage.receiver.behave((delivery, response) => {
      if (known.has(response.socket)) return response.destroy();
      known.add(response.socket);
      accepted.push(delivery.body.data.id);
      return accept(delivery, response);
    });
    await stage.dispatch();
    await stage.invite('grace@example.com', 'ada@example.com', 'alan@example.com', 'edsger@example.com');
    await stage.settled({ change_id: '4', attempts: 0 });
    expect(accepted).to.deep.equal([1, 2, 3, 4]);
    expect(deliveredIds()).to.deep.equal([1, 2, 2, 3, 3, 4, 4]);
  });

  it('delivers once a restarted receiver is back', async () => {
    await stage.dispatch();
    await stage.invite('grace@example.com');
    await stage.settled({ change_id: '1', lease_until: null });
    await stage.receiver.stop();
    await stage.invite('ada@example.com');
    await stage.settled({ attempts: 1, failing_change_id: '2' });
    expect((await stage.row())['last_error']).to.match(/^connect ECONNREFUSED 127\.0\.0\.1/);
    await stage.receiver.start();
    await stage.skipWaiting();
    await stage.settled({ change_id: '2', attempts: 0 });
    expect(deliveredIds()).to.deep.equal([1, 2]);
  });

  it('waits as long as Retry-After says, up to an hour', async () => {
    stage.receiver.behave(answering(429, { 'retry-after': '100000' }));
    await stage.dispatch();
    await stage.invite('grace@example.com');
    await failed('the answer was 429');
    const [wait] = await stage.database.query(
      'select round(extract(epoch from next_attempt_at - failing_since))::int as seconds from webhooks',
    );
    expect(wait?.['seconds']).to.equal(3600);
  });

  it('parks the webhook after 24 hours of failures, and sends nothing until it is resumed', async () => {
    stage.receiver.behave(answering(500));
    await stage.dispatch();
    await stage.invite('grace@example.com');
    await failed('the answer was 500');
    await stage.database.query(
      `update webhooks set attempts = 20, failing_since = clock_timestamp() - interval '23 hours 59 minutes'`,
    );
    await stage.skipWaiting();
    await failed('the answer was 500', 21);
    // The last attempt comes when the 24 hours are over, not an hour later.
    const [next] = await stage.database.query(
      `select next_attempt_at - failing_since = interval '24 hours' as "isLast", parked_at from webhooks`,
    );
    expect(next).to.deep.equal({ isLast: true, parked_at: null });
    await stage.database.query("update webhooks set failing_since = clock_timestamp() - interval '24 hours'");
    await stage.skipWaiting();
    await failed('the answer was 500', 22);
    expect((await stage.row())['parked_at']).to.be.instanceOf(Date);

    stage.receiver.behave(accept);
    await stage.skipWaiting();
    await stage.invite('ada@example.com');
    await stage.settled({ change_id: '0', attempts: 22 });
    expect(deliveredIds()).to.deep.equal([1, 1, 1]);
    await resume();
    await stage.settled({ change_id: '2', attempts: 0, parked_at: null });
    expect(deliveredIds()).to.deep.equal([1, 1, 1, 1, 2]);
  });

  it('shortens and cleans the reason that it stores', async () => {
    const dispatcher = await stage.dispatch();
    await dispatcher.stop(0);
    await stage.invite('grace@example.com');
    const em = stage.orm.em.fork();
    await renewEpoch(em);
    const {
      claims: [lease = expect.fail()],
    } = await claimWebhooks(em, ['hook'], randomUUID());
    const failure = { changeId: 1, reason: `\0\n\u202e${'😀'.repeat(1_000)}`, delayMs: 1, isFinal: false };
    expect(await fail(em, lease, failure)).to.equal(false);
    expect(await stage.row()).to.include({ last_error: `   ${'😀'.repeat(297)}`, lease_until: null });
  });

  it('parks the webhook at once after a 410', async () => {
    stage.receiver.behave(answering(410));
    await stage.dispatch();
    await stage.invite('grace@example.com');
    await failed('the answer was 410');
    expect((await stage.row())['parked_at']).to.be.instanceOf(Date);
  });

  it('goes on past a refused change only when that change is skipped', async () => {
    stage.receiver.behave((delivery, response) =>
      (delivery.body.data.id === 1 ? answering(422) : accept)(delivery, response),
    );
    await stage.dispatch();
    await stage.invite('grace@example.com', 'ada@example.com', 'alan@example.com');
    await failed('the answer was 422');
    // Skipping another change has no effect.
    await resume(2);
    await until('another attempt', () => stage.receiver.deliveries.length === 2);
    await failed('the answer was 422');
    await resume(1);
    await stage.settled({ change_id: '3', attempts: 0 });
    expect(deliveredIds()).to.deep.equal([1, 1, 2, 3]);
  });
});
