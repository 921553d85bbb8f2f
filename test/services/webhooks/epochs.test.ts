import { expect } from 'chai';
import { renewEpoch } from '../../../src/store/feed-epoch.ts';
import { openStage, type WebhookStage } from '../../support/webhooks.ts';

describe('webhook delivery when the database changes to another server', () => {
  let stage: WebhookStage;

  beforeEach(async () => {
    stage = await openStage();
  });

  afterEach(() => stage.close());

  /** Another server, which has the accounts up to now, and whose next changes have the ids and positions of lost ones. */
  const change = async () => {
    await stage.database.query(`update feed_epochs set server = 'another'`);
    await renewEpoch(stage.orm.em.fork());
  };
  const ids = () => stage.receiver.deliveries.map(({ headers }) => headers['webhook-id']);

  for (const [answer, status] of [
    ['accepted', 204],
    ['refused', 500],
  ] as const) {
    it(`stores nothing of a delivery that the one before began, when it is ${answer}`, async () => {
      await stage.dispatch();
      const held = stage.receiver.hold();
      await stage.invite('grace@example.com');
      await stage.receiver.received(1);
      await change();
      held.answer(status);
      const attempts: unknown[] = [];
      stage.receiver.behave(async (_, response) => {
        attempts.push((await stage.row())['attempts']);
        response.writeHead(204).end();
      });
      // The same process holds the webhook again at once, and begins at the stored position.
      await stage.receiver.received(2);
      await stage.settled({ change_id: '1', attempts: 0, failing_change_id: null });
      expect(new Set(ids()).size).to.equal(1);
      expect(attempts).to.deep.equal([0]);
    });
  }

  it('gives a change that has the number of a lost one an id of its own', async () => {
    await stage.dispatch();
    await stage.invite('grace@example.com');
    await stage.settled({ change_id: '1', lease_until: null });
    await stage.database.query('truncate changes, users restart identity cascade');
    await stage.database.query(`update webhooks set transaction_id = '0', change_id = 0`);
    await change();
    await stage.invite('hedy@example.com');
    await stage.receiver.received(2);
    expect(stage.receiver.deliveries.map(({ body }) => body.data.id)).to.deep.equal([1, 1]);
    expect(new Set(ids()).size).to.equal(2);
  });
});
