import { expect } from 'chai';
import {
  type ChangesOptions,
  createClient,
  type FeedEntry,
  isProblem,
  type Problem,
  Unreachable,
} from '../../src/client/index.ts';
import { signHs256 } from '../../src/security/hmac.ts';
import { addAccount } from '../support/accounts.ts';
import { SECRET, startApp, type TestApp } from '../support/app.ts';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import { until } from '../support/until.ts';

const ADA = 'ada@example.com';

describe('following the change feed with the client', () => {
  let app: TestApp;
  let proxy: FaultyProxy;
  let controller: AbortController;
  let states: string[];
  /** How often a reader has come back for more, with a position. */
  let positions = 0;

  beforeEach(async () => {
    app = await startApp({ streamTimes: { keepAliveMs: 100 } });
    proxy = await startFaultyProxy(app.url);
    controller = new AbortController();
    states = [];
    await addAccount(app.database, ADA, { role: 'admin' });
  });

  afterEach(async () => {
    controller.abort();
    await proxy.close();
    await app.close();
  });

  const clientOf = () =>
    createClient({ baseUrl: proxy.url, token: () => signHs256(SECRET, ADA, '1h'), fetch: tapped });
  /** `fetch`, which notes when the reader of a stream comes back for more after the event with the position. */
  const tapped: typeof fetch = async (...args) => {
    const answer = await fetch(...args);
    const reader = answer.headers.get('content-type')?.includes('event-stream') && answer.body?.getReader();
    if (!reader) return answer;
    let text = '';
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(stream) {
          if (/^id:.*\n\n/m.test(text)) positions++;
          const { done, value } = await reader.read();
          if (done) return stream.close();
          text += new TextDecoder().decode(value);
          stream.enqueue(value);
        },
        cancel: (reason) => reader.cancel(reason),
      },
      { highWaterMark: 0 },
    );
    return new Response(body, answer);
  };
  /** Resolves once the reader of a stream has taken its position. */
  const positioned = async () => {
    positions = 0;
    await until('the position', () => positions > 0);
  };
  const emailOf = ({ after }: FeedEntry) => after?.email ?? '';
  /** Follows in the background, and keeps what comes. */
  const following = (options: ChangesOptions = {}) => {
    const entries: FeedEntry[] = [];
    const ended = (async () => {
      const changes = clientOf().changes({
        signal: controller.signal,
        onState: (state) => states.push(state),
        ...options,
      });
      for await (const change of changes) entries.push(change);
    })().then(
      () => undefined,
      (error: unknown) => error,
    );
    return { entries, ended };
  };
  const opened = (times: number) =>
    until('the stream', () => states.filter((state) => state === 'open').length >= times);

  it('yields each change once and in order, across streams that are cut', async () => {
    const client = clientOf();
    const { entries, ended } = following({ since: 'now' });
    await opened(1);
    const emails = Array.from({ length: 6 }, (_, index) => `p${index}@example.com`);
    for (const [index, email] of emails.entries()) {
      await client.users.create({ email });
      if (index === 1) proxy.cut();
      if (index === 3) {
        proxy.next('refuse');
        proxy.cut();
        await client.me.get();
      }
    }
    await until('all changes', () => entries.length >= emails.length);
    expect(entries.map(emailOf)).to.deep.equal(emails);
    expect(states).to.include('lost');
    const resumed = proxy.seen.filter(({ headers }) => headers['last-event-id'] !== undefined);
    expect(resumed).to.not.be.empty;
    controller.abort(new Error('enough'));
    expect(await ended).to.have.property('message', 'enough');
  });

  it('loses nothing that happens while the stream is away before its first change', async () => {
    const client = clientOf();
    const { entries } = following({ since: 'now' });
    await positioned();
    proxy.cut();
    await createClient({ baseUrl: app.url, token: () => signHs256(SECRET, ADA, '1h') }).users.create({
      email: 'meanwhile@example.com',
    });
    await until('the change', () => entries.length === 1);
    expect(entries.map(emailOf)).to.deep.equal(['meanwhile@example.com']);
    expect(await client.users.list({ email: 'meanwhile@example.com' }))
      .to.have.property('items')
      .with.length(1);
  });

  it('continues after a cursor that was kept, also in another process', async () => {
    const client = clientOf();
    for (const name of ['a', 'b', 'c']) await client.users.create({ email: `${name}@example.com` });
    const seen: FeedEntry[] = [];
    for await (const change of client.changes({ signal: controller.signal })) {
      seen.push(change);
      if (emailOf(change) === 'b@example.com') break;
    }
    const since = seen.at(-1)?.cursor ?? '';
    for await (const change of clientOf().changes({ since, signal: controller.signal })) {
      expect(emailOf(change)).to.equal('c@example.com');
      break;
    }
  });

  it('connects again where a connection has fallen silent', async () => {
    await app.stop();
    app = await startApp({ database: app.database, streamTimes: { keepAliveMs: 60_000 } });
    proxy.lead(app.url);
    const { entries } = following({ since: 'now', idleMs: 300 });
    await opened(2);
    await clientOf().users.create({ email: 'heard@example.com' });
    await until('the change', () => entries.length === 1);
  });

  it('throws a typed error where the database may have lost changes, at the start and in the middle', async () => {
    const { ended } = following({ since: '812-7-3f9c2a7be1d0-24117248' });
    const refused = await ended;
    expect(isProblem(refused, 'cursor_outdated')).to.equal(true);
    expect((refused as Problem).status).to.equal(410);
    const open = following({ since: 'now' });
    await positioned();
    await app.database.query(`update feed_epochs set server = 'restored from a snapshot'`);
    await clientOf().users.create({ email: 'after@example.com' });
    expect(isProblem(await open.ended, 'cursor_outdated')).to.equal(true);
  });

  it('throws at once what will not pass, and what does not pass after as many retries as wanted', async () => {
    await addAccount(app.database, 'bob@example.com');
    const bob = createClient({ baseUrl: proxy.url, token: () => signHs256(SECRET, 'bob@example.com', '1h') });
    const forbidden = await bob
      .changes()
      .next()
      .catch((error) => error);
    expect(isProblem(forbidden, 'forbidden')).to.equal(true);
    const nowhere = createClient({ baseUrl: 'http://127.0.0.1:1' });
    const unreachable = await nowhere
      .changes({ retries: 0 })
      .next()
      .catch((error) => error);
    expect(unreachable).to.be.instanceOf(Unreachable);
  });
});
