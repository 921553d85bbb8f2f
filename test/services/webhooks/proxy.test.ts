import { expect } from 'chai';
import { type ForwardProxy, startForwardProxy } from '../../support/forward-proxy.ts';
import { openStage, type WebhookStage, webhookTo } from '../../support/webhooks.ts';

/** A name that no name server knows (RFC 6761, section 6.4). */
const HIDDEN = 'hooks.invalid';

describe('webhooks behind a proxy', () => {
  let stage: WebhookStage;
  let proxy: ForwardProxy;

  beforeEach(async () => {
    stage = await openStage();
    proxy = await startForwardProxy({ [HIDDEN]: Number(new URL(stage.receiver.url).port) });
  });

  afterEach(async () => {
    await stage.close();
    await proxy.close();
  });

  const through = (except: string[] = []) => ({ proxy: { https: null, http: proxy.url, except } });

  it('are delivered through it, over one tunnel, also to names that only it knows', async () => {
    const hook = webhookTo(stage.receiver, { url: `http://${HIDDEN}/hook` });
    await stage.dispatch([hook], { ...through(), allowPrivate: false });
    await stage.invite('grace@example.com', 'ada@example.com');
    await stage.settled({ change_id: '2', attempts: 0, lease_until: null });
    expect(stage.receiver.deliveries.map(({ body }) => body.data.id)).to.deep.equal([1, 2]);
    expect(stage.receiver.deliveries[0]?.headers.host).to.equal(HIDDEN);
    expect(proxy.asked).to.deep.equal([`${HIDDEN}:80`]);
  });

  it('are delivered past it to the hosts in NO_PROXY', async () => {
    await stage.dispatch([webhookTo(stage.receiver)], through(['127.0.0.1']));
    await stage.invite('grace@example.com');
    await stage.settled({ change_id: '1', attempts: 0 });
    expect(proxy.asked).to.deep.equal([]);
  });

  for (const [host, except] of [
    ['127.0.0.1', []],
    ['localhost', []],
    ['[::1]', []],
    ['[::ffff:127.0.0.1]', []],
    ['localhost', ['localhost']],
  ] as const) {
    it(`ask no one for the private address ${host}${except.length > 0 ? ' in NO_PROXY' : ''} unless private addresses are allowed`, async () => {
      const url = stage.receiver.url.replace('127.0.0.1', host);
      await stage.dispatch([webhookTo(stage.receiver, { url })], {
        ...through([...except]),
        allowPrivate: false,
      });
      await stage.invite('grace@example.com');
      await stage.settled({ attempts: 1, change_id: '0' });
      expect((await stage.row())['last_error']).to.match(/^\S+ (is|has) a private address/);
      expect(proxy.asked).to.deep.equal([]);
      expect(stage.receiver.deliveries).to.deep.equal([]);
    });
  }

  it('fail with the reason while it refuses or is down', async () => {
    const refused = new URL(proxy.url);
    refused.password = 'wrong';
    await stage.dispatch([webhookTo(stage.receiver)], {
      proxy: { https: null, http: refused.href, except: [] },
    });
    await stage.invite('grace@example.com');
    await stage.settled({ attempts: 1, change_id: '0' });
    expect((await stage.row())['last_error'])
      .to.match(/407/)
      .and.not.to.include('wrong');
  });
});
