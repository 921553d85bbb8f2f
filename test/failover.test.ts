import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import pg from 'pg';
import { signHs256 } from '../src/security/hmac.ts';
import { SECRET } from './support/app.ts';
import { type EventStream, openStream } from './support/event-stream.ts';
import { placeOf } from './support/feed.ts';
import { expectProblem } from './support/problem.ts';
import { type DatabaseProxy, startProxy } from './support/proxy.ts';
import { type Pair, startPair } from './support/replication.ts';
import { type ServerProcess, startServer } from './support/server-process.ts';
import { until } from './support/until.ts';
import { type Receiver, startReceiver, WEBHOOK_SECRET } from './support/webhooks.ts';

const ADA = 'ada@example.com';

/** PostgreSQL writes down 32 ids of a sequence at once: of more that are lost, the next server gives some again. */
const MANY = 50;

/** After how many milliseconds a request that waits for changes has found none. */
const HELD_MS = 1_000;

interface Page {
  readonly items: { id: number; cursor: string; after: { email: string } | null }[];
  readonly nextCursor: string;
}

describe('the change feed after a standby has taken over', function () {
  this.timeout(120_000);

  let pair: Pair;
  let address: DatabaseProxy;
  let receiver: Receiver;
  let server: ServerProcess;
  let url: string;
  let streams: EventStream[];

  beforeEach(async () => {
    pair = await startPair();
    address = await startProxy(urlOf(pair.primary.port));
    receiver = await startReceiver();
    streams = [];
    await start(address.url);
  });

  afterEach(async () => {
    for (const stream of streams) stream.close();
    await server.end('SIGKILL');
    await receiver.stop();
    await address.close();
    await pair.remove();
  });

  const urlOf = (...ports: number[]) =>
    `postgres://postgres@${ports.map((port) => `127.0.0.1:${port}`).join()}/postgres`;
  const start = async (database: string) => {
    server = startServer({
      DATABASE_URL: database,
      INITIAL_ADMINS: ADA,
      WEBHOOKS: JSON.stringify([{ name: 'crm', url: receiver.url, secret: WEBHOOK_SECRET }]),
      WEBHOOKS_ALLOW_PRIVATE: 'true',
    });
    url = await server.ready();
  };
  const call = async (path: string, { headers, ...init }: RequestInit = {}) => {
    const authorization = `Bearer ${await signHs256(SECRET, ADA, '1h')}`;
    const all = { ...Object.fromEntries(new Headers(headers)), authorization };
    return fetch(new URL(path, url), { ...init, headers: all });
  };
  const page = async (query: string): Promise<Page> => {
    const response = await call(`/v1/changes?limit=1000&${query}`);
    expect(response.status, query).to.equal(200);
    return (await response.json()) as Page;
  };
  const emailsOf = ({ items }: Page) => items.map(({ after }) => after?.email);
  const invite = async (name: string) => {
    const response = await call('/v1/users', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ email: `${name}@example.com` }),
    });
    await response.text();
    return response.status;
  };
  const inviteMany = async (prefix: string, count: number) => {
    const names = Array.from({ length: count }, (_, n) => `${prefix}${n}`);
    for (const name of names) expect(await invite(name), name).to.equal(201);
    return names.map((name) => `${name}@example.com`);
  };
  const follow = async (query = '?after=now') => {
    const stream = await openStream({ call: (path, options) => call(path, options) }, `/v1/changes${query}`, {
      as: ADA,
    });
    expect(stream.response.status).to.equal(200);
    streams.push(stream);
    return stream;
  };
  const take = async (stream: EventStream, count: number) => {
    const emails: string[] = [];
    while (emails.length < count) {
      const event = await stream.next();
      if (event === undefined) throw new Error(`the stream has ended after ${emails.join()}`);
      expect(event.event, event.data).to.equal('change');
      emails.push(JSON.parse(event.data).after.email);
    }
    return emails;
  };
  const asStream = (lastEventId: string) =>
    call('/v1/changes', { headers: { Accept: 'text/event-stream', 'Last-Event-ID': lastEventId } });
  const deliveredEmails = () =>
    receiver.deliveries.map(({ body }) => (body.data['after'] as { email: string }).email);
  /** Leads the address to the standby. */
  const lead = async () => {
    await address.cut();
    address.lead(urlOf(pair.standby.port));
    await address.mend();
  };
  const servesAgain = () => until('the service', async () => (await invite('first')) === 201, 60_000);

  it('which has lost the last writes: nothing lies, nothing is passed over, and webhook ids do not repeat', async () => {
    const kept = await inviteMany('kept', 3);
    const old = (await page('after=0-0')).nextCursor;
    await until('the deliveries', () => receiver.deliveries.length >= 3);
    const stream = await follow();
    await until('the stream', () => stream.ids.length > 0);
    await pair.separate();
    const lost = await inviteMany('lost', MANY);
    expect(await take(stream, MANY)).to.deep.equal(lost);
    const { nextCursor: lostCursor } = await page(`after=${old}`);
    await until('the deliveries', () => receiver.deliveries.length >= 3 + MANY);
    const waiting = call(`/v1/changes?after=${lostCursor}&wait=30`);
    await pause(HELD_MS);

    await pair.primary.stop();
    await pair.promote();
    await lead();
    await servesAgain();
    const fresh = ['first@example.com', ...(await inviteMany('fresh', MANY))];

    const last = await stream.next();
    expect(last?.event).to.equal('outdated');
    expect(JSON.parse(last?.data ?? '')).to.include({ code: 'cursor_outdated', status: 410 });
    expect(await stream.next()).to.equal(undefined);
    await expectProblem(await waiting, 410, 'cursor_outdated');
    await expectProblem(await call(`/v1/changes?after=${lostCursor}`), 410, 'cursor_outdated');
    await expectProblem(await asStream(stream.ids.at(-1) ?? ''), 410, 'cursor_outdated');
    await expectProblem(await asStream(lostCursor), 410, 'cursor_outdated');
    // What was read before the last common write stays true.
    expect(emailsOf(await page(`after=${old}`))).to.deep.equal(fresh);
    expect(emailsOf(await page('after=0-0'))).to.deep.equal([ADA, ...kept, ...fresh]);
    const live = await follow();
    const later = await inviteMany('later', 2);
    expect(await take(live, 2)).to.deep.equal(later);

    const all = [...kept, ...lost, ...fresh, ...later];
    await until('the deliveries', () => receiver.deliveries.length >= all.length, 60_000);
    expect(deliveredEmails()).to.deep.equal(all);
    const { deliveries } = receiver;
    expect(new Set(deliveries.map(({ headers }) => headers['webhook-id'])).size).to.equal(all.length);
    expect(new Set(deliveries.map(({ body }) => body.data.id)).size).to.be.lessThan(all.length);
    expect(server.lines.filter(({ msg }) => /^database changed to another server/.test(msg))).to.have.length(
      1,
    );
  });

  it('which has everything: streams, waiting requests, cursors and webhooks go on, behind several hosts in one URL', async () => {
    await server.end('SIGTERM');
    await start(urlOf(pair.primary.port, pair.standby.port));
    const before = await inviteMany('before', 3);
    const stream = await follow('');
    expect(await take(stream, 4)).to.deep.equal([ADA, ...before]);
    const { nextCursor } = await page('after=0-0');
    const waiting = page(`after=${nextCursor}&wait=30`);
    await pause(HELD_MS);
    // In the log there is nothing after the shutdown that a cursor could be ahead of.
    await pair.primary.stop('SIGINT');
    await pair.promote();
    await servesAgain();
    const after = ['first@example.com', ...(await inviteMany('after', 3))];
    expect(await take(stream, 4)).to.deep.equal(after);
    expect(emailsOf(await waiting)[0]).to.equal('first@example.com');
    expect(emailsOf(await page(`after=${nextCursor}`))).to.deep.equal(after);
    const again = await openStream({ call }, '/v1/changes', { as: ADA, lastEventId: stream.ids[2] ?? '' });
    streams.push(again);
    expect(await take(again, 6)).to.deep.equal([...before.slice(1), ...after]);
    await until('the deliveries', () => receiver.deliveries.length >= 7, 60_000);
    expect(deliveredEmails()).to.deep.equal([...before, ...after]);
  });

  it('and has crashed before anybody asked it where: every older cursor is refused', async () => {
    await inviteMany('before', 3);
    const { nextCursor } = await page('after=0-0');
    await server.end('SIGTERM');
    await pair.primary.stop('SIGINT');
    await pair.promote();
    await pair.standby.query('create table written_since ()');
    await pair.standby.stop();
    await pair.standby.start();
    await lead();
    await start(address.url);
    const warning = await until('the warning', () =>
      server.lines.find(({ msg }) => /^database changed to another server/.test(msg)),
    );
    expect(warning).to.include({ isForkKnown: false });
    await expectProblem(await call(`/v1/changes?after=${nextCursor}`), 410, 'cursor_outdated');
    const { nextCursor: now } = await page('after=now');
    expect(placeOf(now)).to.equal(placeOf(nextCursor));
    const after = await inviteMany('after', 1);
    expect(emailsOf(await page(`after=${now}`))).to.deep.equal(after);
  });

  it('is told to the log once, with what is known, by a process that has webhooks and no followers', async () => {
    await inviteMany('before', 1);
    await until('the delivery', () => receiver.deliveries.length === 1);
    await pair.caughtUp();
    await pair.primary.stop('SIGINT');
    await pair.promote();
    await lead();
    await servesAgain();
    await until('the delivery', () => receiver.deliveries.length === 2, 60_000);
    await inviteMany('after', 1);
    await until('the delivery', () => receiver.deliveries.length === 3, 60_000);
    const warnings = server.lines.filter(({ msg }) => /^database changed to another server/.test(msg));
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.include({ isForkKnown: true });
  });

  it('during a start: that ends at its deadline, and says that the server is a standby', async () => {
    await pair.caughtUp();
    const holder = new pg.Client({ connectionString: urlOf(pair.primary.port) });
    await holder.connect();
    await holder.query("begin; select pg_advisory_xact_lock(x'726f6c6c63616c6c'::bigint)");
    const other = startServer({
      DATABASE_URL: address.url,
      INITIAL_ADMINS: 'grace@example.com',
      BOOT_TIMEOUT_MS: '8000',
    });
    await other.said('waiting for the boot lock');
    await lead();
    expect(await other.ended()).to.equal(1);
    await holder.end();
    const [fatal] = other.lines.filter(({ level }) => level === 60);
    expect(fatal?.msg).to.match(
      /^The database was not prepared within BOOT_TIMEOUT_MS \(8000 ms\): .*(read-only standby|read-only transaction)/s,
    );
    expect(JSON.stringify(other.lines)).not.to.include('"stack"');
  });
});
