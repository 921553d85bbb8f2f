import { expect } from 'chai';
import { createClient, isProblem, type Problem, Unreachable, versionOf } from '../../src/client/index.ts';
import { signHs256 } from '../../src/security/hmac.ts';
import { addAccount } from '../support/accounts.ts';
import { SECRET, startApp, type TestApp } from '../support/app.ts';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';

const ADA = 'ada@example.com';
const BOB = 'bob@example.com';

describe('the client', () => {
  let app: TestApp;
  let proxy: FaultyProxy;

  beforeEach(async () => {
    app = await startApp();
    proxy = await startFaultyProxy(app.url);
    await addAccount(app.database, ADA, { role: 'admin' });
    await addAccount(app.database, BOB, { name: 'Bob' });
  });

  afterEach(async () => {
    await proxy.close();
    await app.close();
  });

  const token = (email = ADA) => signHs256(SECRET, email, '1h');
  const clientOf = (options: Parameters<typeof createClient>[0] = {}) =>
    createClient({ baseUrl: proxy.url, token: () => token(), ...options });
  const thrownBy = async (work: PromiseLike<unknown>): Promise<unknown> =>
    work.then(
      () => undefined,
      (error) => error,
    );
  const count = async (where: string) =>
    (await app.database.query<{ n: number }>(`select count(*)::int as n from ${where}`))[0]?.n;

  it('calls endpoints by their names, and by their methods and paths', async () => {
    const client = clientOf();
    const carl = await client.users.create({ email: 'carl@example.com' }, { reason: 'hired' });
    expect(await client.users.get(carl)).to.deep.equal(carl);
    expect(await client.call('GET /v1/users/:id', { params: { id: `${carl.id}` } })).to.deep.equal(carl);
    await client.me.preferences.update({ theme: 'dark' });
    expect(await client.me.preferences.get()).to.deep.equal({ theme: 'dark' });
    const { items } = await client.users.history.list(carl);
    expect(items[0]).to.include({ action: 'created', reason: 'hired' });
    const undone = await client.history.undo(items[0]?.id ?? 0);
    expect(undone.action).to.equal('deleted');
    const gone = await thrownBy(client.users.get(carl.id));
    expect(isProblem(gone, 'not_found')).to.equal(true);
    expect(isProblem(gone, 'last_admin')).to.equal(false);
    expect((gone as Problem).status).to.equal(404);
  });

  it('sends uploads, and hands out downloads as they come', async () => {
    const client = clientOf();
    const report = await client.users.import('{"email":"dora@example.com"}\n', { query: { partial: true } });
    expect(report).to.include({ created: 1, failed: 0 });
    const again = await client.users.import(
      new Blob(['email,name\ndora@example.com,Dora\n'], { type: 'text/csv' }),
      {
        query: { mode: 'upsert' },
      },
    );
    expect(again).to.include({ updated: 1 });
    const download = await client.users.export({ format: 'csv' });
    expect(await download.text()).to.include('dora@example.com');
  });

  it('tries out every write, which then writes nothing', async () => {
    const client = clientOf();
    const [bob] = (await client.users.list({ q: 'bob' })).items;
    const { changes } = await client.dryRun.users.update(bob?.id ?? 0, { role: 'admin' });
    expect(changes[0]?.after).to.deep.equal({ role: 'admin' });
    expect((await client.dryRun.users.delete(bob?.id ?? 0)).changes[0]?.action).to.equal('deleted');
    expect(await client.users.get(bob?.id ?? 0)).to.deep.equal(bob);
  });

  it('goes through all pages of a list, or reads one', async () => {
    const client = clientOf();
    const ids = Array.from({ length: 5 }, (_, index) => `p${index}@example.com`);
    for (const email of ids) await addAccount(app.database, email);
    const emails: string[] = [];
    for await (const { email } of client.users.list({ limit: 2, q: 'example.com', sort: 'email' })) {
      emails.push(email);
    }
    expect(emails).to.deep.equal([ADA, BOB, ...ids]);
    const list = client.users.list({ limit: 3, total: true });
    const first = await list;
    expect(first.items).to.have.length(3);
    expect(first.total).to.deep.equal({ count: 7, capped: false });
    const second = await list.page(first.nextCursor ?? '');
    expect(second.items[0]?.id).to.not.equal(first.items[0]?.id);
    const sizes: number[] = [];
    for await (const { items } of list.pages()) sizes.push(items.length);
    expect(sizes).to.deep.equal([3, 3, 1]);
    for await (const _ of client.users.list({ limit: 1 })) break;
    const tokens: unknown[] = [];
    for await (const one of client.serviceTokens.list()) tokens.push(one);
    expect(tokens).to.deep.equal([]);
  });

  it('reads the change feed page by page, to its end', async () => {
    const client = clientOf();
    for (const email of ['x@example.com', 'y@example.com', 'z@example.com'])
      await client.users.create({ email });
    const seen: string[] = [];
    for await (const { after } of client.changes.list({ limit: 2 })) seen.push(after?.email ?? '');
    expect(seen.slice(-3)).to.deep.equal(['x@example.com', 'y@example.com', 'z@example.com']);
  });

  it('changes what it has read, and only that', async () => {
    const client = clientOf();
    const [read] = (await client.users.list({ q: 'bob' })).items;
    if (!read) throw new Error('Bob is missing.');
    await client.users.update(read.id, { name: 'Robert' });
    const stale = await thrownBy(client.users.update(read, { role: 'admin' }));
    expect(isProblem(stale, 'precondition_failed')).to.equal(true);
    expect(isProblem(await thrownBy(client.users.delete(read)), 'precondition_failed')).to.equal(true);
    const names: (string | null)[] = [];
    const changed = await client.users.update(read, ({ name }) => {
      names.push(name);
      return { name: `${name}!` };
    });
    expect(changed).to.include({ name: 'Robert!' });
    expect(names).to.deep.equal(['Bob', 'Robert']);
    expect(await client.users.update(read.id, () => undefined)).to.deep.equal(changed);
  });

  it('counts together what many count at once, and gives up where others always come first', async () => {
    const client = clientOf();
    await client.me.preferences.replace({ count: 0 });
    const add = () =>
      client.me.preferences.update(({ count }) => ({ count: Number(count) + 1 }), { reason: 'one more' });
    await Promise.all([add(), add(), add()]);
    const preferences = await client.me.preferences.get();
    expect(preferences).to.deep.equal({ count: 3 });
    expect(versionOf(preferences)).to.equal((await client.me.get()).version);
    let attempts = 0;
    const beaten = await thrownBy(
      client.me.update(async () => {
        attempts++;
        await client.me.preferences.update({ busy: attempts });
        return { name: 'Never' };
      }),
    );
    expect(isProblem(beaten, 'precondition_failed')).to.equal(true);
    expect(attempts).to.equal(5);
  });

  it('reads again what was not answered, and waits as long as the service asks for', async () => {
    const client = clientOf();
    proxy.next('refuse', 'cut');
    expect((await client.me.get()).email).to.equal(ADA);
    expect(proxy.seen.map(({ method }) => method)).to.deep.equal(['GET', 'GET', 'GET']);
    proxy.next({ status: 503, headers: { 'Retry-After': '1' } });
    const before = performance.now();
    await client.me.get();
    expect(performance.now() - before).to.be.above(900);
    proxy.next({ status: 503, headers: { 'Retry-After': '3600' } });
    const late = await thrownBy(client.me.get());
    expect(late).to.be.instanceOf(Unreachable).and.to.include({ status: 503, retryAfterMs: 3_600_000 });
  });

  it('carries a write out once, though its answer is lost', async () => {
    const client = clientOf();
    proxy.next('lose');
    const made = await client.users.create({ email: 'once@example.com' });
    expect(made.email).to.equal('once@example.com');
    const keys = proxy.seen.map(({ headers }) => headers['idempotency-key']);
    expect(keys[0]).to.match(/^"\w+"$/);
    expect(keys[1]).to.equal(keys[0]);
    expect(await count(`users where email = 'once@example.com'`)).to.equal(1);
    proxy.next('lose');
    const lost = await thrownBy(client.users.create({ email: 'lost@example.com' }, { retries: 0 }));
    expect(lost).to.be.instanceOf(Unreachable);
    expect(proxy.seen.at(-1)?.headers['idempotency-key']).to.equal(undefined);
    await client.users.create({ email: 'next@example.com' });
    expect(proxy.seen.at(-1)?.headers['idempotency-key']).to.not.equal(keys[0]);
  });

  it('repeats no refusal that stays one', async () => {
    const client = clientOf();
    const taken = await thrownBy(client.users.create({ email: BOB }));
    expect(isProblem(taken, 'email_taken')).to.equal(true);
    expect(proxy.seen).to.have.length(1);
  });

  it('gives up after a time, and where it is told to', async () => {
    const client = clientOf({ retries: 0 });
    proxy.next('stall');
    const late = await thrownBy(client.me.get({ timeoutMs: 100 }));
    expect(late).to.be.instanceOf(Unreachable);
    expect((late as Error).message).to.equal('No answer within 100 ms.');
    proxy.next('stall');
    const controller = new AbortController();
    const waiting = thrownBy(client.users.list({}, { signal: controller.signal }));
    await proxy.arrived();
    controller.abort(new Error('changed my mind'));
    expect(await waiting).to.have.property('message', 'changed my mind');
    proxy.next({ status: 503 }, { status: 503 });
    const between = new AbortController();
    const retrying = thrownBy(clientOf().me.get({ signal: between.signal }));
    await proxy.arrived();
    between.abort();
    expect(await retrying).to.have.property('name', 'AbortError');
  });

  it('asks for another token once where one is refused', async () => {
    const asked: (string | undefined)[] = [];
    const expired = await signHs256(SECRET, ADA, '-1h');
    const client = clientOf({
      token: async (refused) => {
        asked.push(refused);
        return refused === undefined ? expired : token();
      },
    });
    expect((await client.me.get()).email).to.equal(ADA);
    expect(asked).to.deep.equal([undefined, expired]);
    const hopeless = clientOf({ token: () => expired });
    expect(isProblem(await thrownBy(hopeless.me.get()), 'unauthenticated')).to.equal(true);
    expect(proxy.seen).to.have.length(3);
  });

  it('asks for one token for all requests that are refused at once', async () => {
    let fresh: string | undefined;
    let refreshes = 0;
    const expired = await signHs256(SECRET, ADA, '-1h');
    const client = clientOf({
      async token(refused) {
        if (refused === undefined) return fresh ?? expired;
        refreshes++;
        await new Promise((resolve) => setTimeout(resolve, 300));
        fresh = await token();
        return fresh;
      },
    });
    await Promise.all([client.me.get(), client.me.get(), client.me.get()]);
    expect(refreshes).to.equal(1);
  });

  it('says that it is not the service that answers', async () => {
    const client = clientOf({ retries: 0 });
    proxy.next({
      status: 200,
      headers: { 'Content-Type': 'text/html' },
      body: '<p>Welcome to the hotel</p>',
    });
    expect(await thrownBy(client.me.get())).to.be.instanceOf(Unreachable);
    proxy.next({ status: 404, headers: { 'Content-Type': 'text/html' }, body: '<p>Nothing here</p>' });
    expect(await thrownBy(client.me.get()))
      .to.be.instanceOf(Unreachable)
      .and.to.include({ status: 404 });
    const nowhere = clientOf({ baseUrl: 'http://127.0.0.1:1', retries: 0 });
    expect(await thrownBy(nowhere.me.get())).to.be.instanceOf(Unreachable);
  });
});
