import { expect } from 'chai';
import { Webhook } from 'standardwebhooks';
import { verifyWebhook, WebhookError } from '../../src/client/index.ts';
import { openStage, WEBHOOK_SECRET } from '../support/webhooks.ts';

const OTHER_SECRET = `whsec_${Buffer.from('another-secret-for-tests-0123456').toString('base64')}`;

const BODY = JSON.stringify({
  type: 'webhook.test',
  timestamp: '2026-01-31T12:00:00Z',
  data: { webhook: 'crm', name: 'Zoë' },
});

/** A message that the package of Standard Webhooks has signed. */
function signed({ secrets = [WEBHOOK_SECRET], at = new Date(), body = BODY, id = 'test_1' } = {}) {
  return {
    headers: {
      'webhook-id': id,
      'webhook-timestamp': `${Math.floor(at.getTime() / 1000)}`,
      'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(' '),
    },
    body,
  };
}

describe('verifyWebhook', () => {
  const codeOf = async (...args: Parameters<typeof verifyWebhook>) => {
    const error = await verifyWebhook(...args).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).to.be.instanceOf(WebhookError);
    return (error as WebhookError).code;
  };

  it('accepts what the service delivers, and says what has changed', async () => {
    const stage = await openStage();
    try {
      await stage.dispatch();
      await stage.invite('ada@example.com');
      await stage.receiver.received(1);
      const [delivery] = stage.receiver.deliveries;
      if (!delivery) throw new Error('Nothing was delivered.');
      const { headers, text: body } = delivery;
      const message = await verifyWebhook({ headers, body }, WEBHOOK_SECRET);
      expect(message).to.deep.include({ type: 'account.created', id: headers['webhook-id'] });
      if (message.type === 'webhook.test') throw new Error('It is a change.');
      expect(message.data.after?.email).to.equal('ada@example.com');
    } finally {
      await stage.close();
    }
  });

  it('accepts what the package of Standard Webhooks signs, in every form in which it arrives', async () => {
    const { headers, body } = signed();
    const request = new Request('http://127.0.0.1/rollcall', { method: 'POST', headers, body });
    const bytes = new TextEncoder().encode(body);
    for (const message of [
      { headers, body },
      { headers, body: bytes },
      { headers: new Headers(headers), body },
      request,
    ]) {
      const { type, id } = await verifyWebhook(message, WEBHOOK_SECRET);
      expect({ type, id }).to.deep.equal({ type: 'webhook.test', id: 'test_1' });
    }
    // The body is still there for who comes next.
    expect(await request.text()).to.equal(body);
  });

  it('has the signature of the test vector of Standard Webhooks', async () => {
    // https://github.com/standard-webhooks/standard-webhooks, the vector of all its libraries.
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    const message = {
      headers: {
        'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
        'webhook-timestamp': '1614265330',
        'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
      },
      body: '{"test": 2432232314}',
    };
    const toleranceSeconds = Number.POSITIVE_INFINITY;
    expect(await verifyWebhook(message, secret, { toleranceSeconds })).to.include({
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    });
    expect(await codeOf(message, secret)).to.equal('time_differs');
  });

  it('accepts either secret while one is changed for another', async () => {
    const both = [OTHER_SECRET, WEBHOOK_SECRET];
    await verifyWebhook(signed({ secrets: both }), WEBHOOK_SECRET);
    await verifyWebhook(signed({ secrets: both }), OTHER_SECRET);
    await verifyWebhook(signed(), both);
    expect(await codeOf(signed(), OTHER_SECRET)).to.equal('signature_invalid');
    expect(await codeOf(signed(), [])).to.equal('signature_invalid');
  });

  it('refuses what was changed, is old, comes from the future, or has no signature', async () => {
    const good = signed();
    const withHeaders = (headers: Record<string, string>) => ({
      ...good,
      headers: { ...good.headers, ...headers },
    });
    expect(await codeOf({ ...good, body: good.body.replace('crm', 'erp') }, WEBHOOK_SECRET)).to.equal(
      'signature_invalid',
    );
    expect(await codeOf(withHeaders({ 'webhook-id': 'test_2' }), WEBHOOK_SECRET)).to.equal(
      'signature_invalid',
    );
    for (const signature of ['v1,', 'v1,%%%', 'v1a,AAAA', ',', 'AAAA']) {
      expect(await codeOf(withHeaders({ 'webhook-signature': signature }), WEBHOOK_SECRET)).to.equal(
        'signature_invalid',
      );
    }
    for (const seconds of [-600, 600]) {
      const at = new Date(Date.now() + seconds * 1000);
      expect(await codeOf(signed({ at }), WEBHOOK_SECRET)).to.equal('time_differs');
      await verifyWebhook(signed({ at }), WEBHOOK_SECRET, { toleranceSeconds: 700 });
    }
    expect(await codeOf(withHeaders({ 'webhook-timestamp': 'now' }), WEBHOOK_SECRET)).to.equal(
      'time_differs',
    );
    for (const name of Object.keys(good.headers)) {
      const { [name]: _, ...headers } = good.headers as Record<string, string>;
      expect(await codeOf({ headers, body: BODY }, WEBHOOK_SECRET)).to.equal('headers_missing');
    }
  });

  it('says so where its own secret is none', async () => {
    for (const secret of ['', 'whsec_', 'whsec_%%%']) {
      const error = await verifyWebhook(signed(), secret).catch((error) => error);
      expect(error).to.be.instanceOf(TypeError);
    }
  });
});
