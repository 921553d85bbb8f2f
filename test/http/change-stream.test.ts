import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { ormOptions } from '../../mikro-orm.config.ts';
import type { StreamTimes } from '../../src/http/endpoints/changes.ts';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { addChanges } from '../support/changes.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { type EventStream, openStream } from '../support/event-stream.ts';
import { placeOf } from '../support/feed.ts';
import { expectProblem } from '../support/problem.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';
import { closed, dial } from '../support/raw-http.ts';
import { forge } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { writeAtRandom } from '../support/writers.ts';

const ADA = 'ada@example.com';

describe('GET /v1/changes as server-sent events', () => {
  let database: TestDatabase;
  let wire: DatabaseProxy;
  let app: TestApp;
  let streams: EventStream[];
  let others: TestApp[];

  beforeEach(async () => {
    database = await createMigratedDatabase();
    wire = await startProxy(database.url);
    streams = [];
    others = [];
    // No check of rights while statements are counted, however long the test takes.
    const streamTimes = { keepAliveMs: 200, stallMs: 500, recheckMs: 120_000 };
    app = await startApp({ database, through: wire.url, streamTimes });
    await addAccount(database, ADA, { role: 'admin' });
  });

  afterEach(async () => {
    for (const stream of streams) stream.close();
    for (const other of others) await other.stop();
    await app.close();
    await wire.close();
  });

  const startAnother = async (streamTimes: Partial<StreamTimes> = {}) => {
    const other = await startApp({ database, streamTimes });
    others.push(other);
    return other;
  };
  const open = async (
    query = '',
    { lastEventId, from = app }: { lastEventId?: string; from?: TestApp } = {},
  ) => {
    const stream = await openStream(from, `/v1/changes${query}`, {
      as: ADA,
      ...(lastEventId !== undefined && { lastEventId }),
    });
    expect(stream.response.status).to.equal(200);
    streams.push(stream);
    return stream;
  };
  const takeIds = async (stream: EventStream, count: number): Promise<number[]> => {
    const ids: number[] = [];
    while (ids.length < count) {
      const event = await stream.next();
      if (event === undefined) break;
      ids.push(JSON.parse(event.data).id);
    }
    return ids;
  };
  const idsFrom = (first: number, count: number) => Array.from({ length: count }, (_, n) => first + n);
  const cursorOf = async (id: number) => {
    const [row] = await database.query<{ cursor: string }>(
      `select transaction_id || '-' || id as cursor from changes where id = $1`,
      [id],
    );
    return row?.cursor ?? '';
  };
  const patch = (id: number, changes: object, as = ADA) =>
    app.call(`/v1/users/${id}`, {
      as,
      method: 'PATCH',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(changes),
    });
  const raw = async (accept = 'text/event-stream', query = '') => {
    const socket = await dial(app.url);
    socket.write(
      `GET /v1/changes${query} HTTP/1.1\r\nHost: x\r\nAccept: ${accept}\r\nAuthorization: Bearer ${forge()}\r\n\r\n`,
    );
    return socket;
  };

  it('sends past and new changes as events with their cursors, and a reconnection time', async () => {
    const stream = await open();
    const { headers } = stream.response;
    expect(headers.get('content-type')).to.equal('text/event-stream');
    expect(headers.get('cache-control')).to.equal('no-store, no-transform');
    expect(headers.get('x-accel-buffering')).to.equal('no');
    expect(headers.get('vary')).to.equal('Accept');
    const first = await stream.next();
    expect(stream.ids.map(placeOf)).to.deep.equal(['0-0', await cursorOf(1)]);
    expect(stream.retries[0]).to.be.within(1_000, 3_000);
    await patch(1, { name: 'Ada' });
    const second = await stream.next();
    const { items } = (await (await app.call('/v1/changes', { as: ADA })).json()) as {
      items: { cursor: string }[];
    };
    for (const [at, event] of [first, second].entries()) {
      const { cursor, ...change } = items[at] ?? { cursor: '' };
      expect(event).to.include({ event: 'change' });
      expect(placeOf(event?.id)).to.equal(placeOf(cursor));
      expect(JSON.parse(event?.data ?? '')).to.deep.equal(change);
    }
  });

  it('follows the wire format of the standard to the byte', async () => {
    const socket = await raw();
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    await until('a comment', () => text.includes(': keep-alive'));
    socket.destroy();
    const [head, ...chunks] = text.split('\r\n\r\n');
    expect(head).to.match(/^HTTP\/1.1 200 OK/);
    const body = chunks
      .join('')
      .replace(/(^|\r\n)[0-9a-f]+\r\n/g, '')
      .replaceAll('\r\n', '');
    expect(body).to.match(
      /^retry: \d{4}\nid: 0-0\n\nid: \d+-1-[0-9a-f]{12}-\d+\nevent: change\ndata: \{"id":1,[^\n]+\}\n\n(: keep-alive\n\n)+$/,
    );
  });

  it('is served only to callers that prefer its media type; JSON wins a tie', async () => {
    for (const accept of ['*/*', 'application/json, text/event-stream', 'text/event-stream;q=0.5, */*', '']) {
      const response = await app.call('/v1/changes', { as: ADA, headers: { Accept: accept } });
      expect(response.headers.get('content-type')).to.equal('application/json; charset=utf-8');
      await response.text();
    }
    await expectProblem(
      await app.call('/v1/changes', { as: ADA, headers: { Accept: 'text/html' } }),
      406,
      'not_acceptable',
    );
  });

  it('continues after Last-Event-ID, whatever the query says', async () => {
    await addChanges(database, 5);
    const lastEventId = await cursorOf(3);
    for (const query of ['', `?after=${await cursorOf(5)}`, '?after=now', '?after=nonsense']) {
      const stream = await open(query, { lastEventId });
      expect(await takeIds(stream, 3)).to.deep.equal([4, 5, 6]);
    }
    expect(await takeIds(await open(`?after=${await cursorOf(5)}`), 1)).to.deep.equal([6]);
    expect(await takeIds(await open('', { lastEventId: '' }), 6)).to.deep.equal(idsFrom(1, 6));
  });

  it('sends a cursor to resume from before the first change', async () => {
    const stream = await open('?after=now');
    await until('a comment', () => stream.comments.length > 0);
    stream.close();
    await addChanges(database, 2);
    expect(stream.ids.map(placeOf)).to.deep.equal([await cursorOf(1)]);
    const again = await open('?after=now', { lastEventId: stream.ids.at(-1) ?? '' });
    expect(await takeIds(again, 2)).to.deep.equal([2, 3]);
  });

  it('refuses an unknown Last-Event-ID instead of skipping changes', async () => {
    for (const lastEventId of ['nonsense', '1-1', `${await cursorOf(1)}0`]) {
      const response = await app.call('/v1/changes', {
        as: ADA,
        headers: { Accept: 'text/event-stream', 'Last-Event-ID': lastEventId },
      });
      await expectProblem(response, 400, 'bad_cursor');
    }
  });

  it('answers HEAD with the headers alone', async () => {
    const response = await app.call('/v1/changes', {
      as: ADA,
      method: 'HEAD',
      headers: { Accept: 'text/event-stream' },
    });
    expect(response.status).to.equal(200);
    expect(response.headers.get('content-type')).to.equal('text/event-stream');
    expect(await response.text()).to.equal('');
  });

  it('sends ten thousand changes in order, followed by new ones', async () => {
    await addChanges(database, 10_000);
    const stream = await open();
    const taking = takeIds(stream, 10_011);
    await addChanges(database, 10);
    expect(await taking).to.deep.equal(idsFrom(1, 10_011));
  });

  it('serves five hundred streams with one listener and one query per commit', async function () {
    this.timeout(120_000);
    const all: EventStream[] = [];
    // Some at a time: a slow machine would keep the last of five hundred waiting for a connection to the database for too long.
    while (all.length < 500)
      all.push(...(await Promise.all(Array.from({ length: 25 }, () => open('?after=now')))));
    let next = all.map((stream) => takeIds(stream, 1));
    await addChanges(database, 1);
    await Promise.all(next);
    wire.reset();
    const began = performance.now();
    const commits = 10;
    for (let n = 0; n < commits; n++) {
      next = all.map((stream) => takeIds(stream, 1));
      await addChanges(database, 1);
      for (const ids of await Promise.all(next)) expect(ids).to.deep.equal([3 + n]);
    }
    // A few more when another transaction of the cluster holds the feed back, and one a second for the regular poll.
    const polls = Math.ceil((performance.now() - began) / 1_000);
    expect(wire.statements())
      .to.be.at.least(commits)
      .and.at.most(2 * commits + polls);
    const listeners = await database.query(
      `select from pg_stat_activity where datname = current_database() and application_name = 'rollcall listener'`,
    );
    expect(listeners).to.have.length(1);
  });

  for (const [how, write] of [
    ['silent', () => undefined],
    ['busy', () => addAccount(database, `x${Math.random()}@example.com`)],
  ] as const) {
    it(`ends soon for a service token that is revoked, while the feed is ${how}`, async () => {
      const minted = await app.call('/v1/service-tokens', {
        as: ADA,
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({
          name: 'follower',
          scopes: ['changes:read'],
          expiresAt: new Date(Date.now() + 86_400_000),
        }),
      });
      const { token } = (await minted.json()) as { token: string };
      const other = await startAnother({ keepAliveMs: 200, recheckMs: 150 });
      const response = await other.call('/v1/changes?after=now', {
        headers: { Accept: 'text/event-stream', Authorization: `Bearer ${token}` },
      });
      const reading = response.text();
      let hasEnded = false;
      reading.finally(() => {
        hasEnded = true;
      });
      await pause(500);
      expect(hasEnded).to.equal(false);
      await app.call('/v1/service-tokens/1', { as: ADA, method: 'DELETE' });
      await until('the end of the stream', async () => {
        await write();
        return hasEnded;
      });
    });
  }

  it('ends for an account that loses access, with the change that revokes it', async () => {
    const grace = 'grace@example.com';
    for (const [id, changes, status] of [
      [2, { role: 'user' }, 403],
      [3, { status: 'suspended' }, 403],
      [4, { email: 'other@example.com' }, 403],
    ] as const) {
      const { id: theirs } = await addAccount(database, `${id}${grace}`, { role: 'admin' });
      const stream = await openStream(app, '/v1/changes?after=now', { as: `${id}${grace}` });
      streams.push(stream);
      // Neither another change of the same account nor a change of another account ends the stream.
      await patch(theirs, { name: 'Grace' });
      await patch(1, { name: `${id}` });
      await patch(theirs, changes);
      expect(await takeIds(stream, 10)).to.have.length(3);
      const again = await app.call('/v1/changes', { as: `${id}${grace}` });
      expect(again.status).to.equal(status);
      await again.text();
    }
  });

  it('ends after its lifetime, so that the caller has to authenticate again', async () => {
    const other = await startAnother({ lifetimeMs: 300 });
    const stream = await open('?after=now', { from: other });
    expect(await stream.next()).to.equal(undefined);
    expect(other.log.filter(({ level }) => Number(level) >= 40)).to.deep.equal([]);
  });

  it('stays open during a database outage and continues afterwards', async () => {
    const stream = await open('?after=now');
    await wire.cut();
    const commentsBefore = stream.comments.length;
    await until('more comments', () => stream.comments.length > commentsBefore + 2);
    await addChanges(database, 3);
    const taking = takeIds(stream, 3);
    await wire.mend();
    expect(await taking).to.deep.equal([2, 3, 4]);
  });

  it('is refused with 503 during a database outage', async () => {
    await wire.cut();
    const response = await app.call('/v1/changes', { as: ADA, headers: { Accept: 'text/event-stream' } });
    await expectProblem(response, 503, 'database_unavailable');
  });

  it('breaks the connection when its first pages cannot be read, so that a part does not pass for the whole', async () => {
    await addChanges(database, 20_000, 2_000);
    // Another stream, which keeps the end of the feed known.
    const live = await open('?after=now');
    await until('a comment', () => live.comments.length > 0);
    const socket = await raw();
    await once(socket, 'data');
    socket.pause();
    await wire.cut();
    socket.resume();
    let end = '';
    socket.on('data', (chunk: Buffer) => {
      end = chunk.toString().slice(-10);
    });
    await closed(socket);
    expect(end.endsWith('0\r\n\r\n')).to.equal(false);
  });

  it('cuts off a reader that stops reading, fetches only what fits its connection, and leaves other streams alone', async function () {
    this.timeout(120_000);
    const live = await open('?after=now');
    await addChanges(database, 3_000, 50_000);
    wire.reset();
    const began = performance.now();
    const slow = await raw();
    slow.pause();
    const end = closed(slow);
    await until('the answer to be cut short', () => app.log.find(({ msg }) => msg === 'answer cut short'));
    // The slow reader would need 30 pages, but its connection holds only a part of them. The live stream needs 6, and asks for
    // more every second.
    const polls = Math.ceil((performance.now() - began) / 1_000);
    expect(wire.statements()).to.be.lessThan(25 + 2 * polls);
    slow.resume();
    await end;
    // A part of its 150 MB.
    expect(slow.bytesRead).to.be.lessThan(75_000_000);
    expect(await takeIds(live, 3_000)).to.deep.equal(idsFrom(2, 3_000));
    await until('the end of the request', () =>
      app.log.find(({ msg, route }) => msg === 'request' && route === '/v1/changes'),
    );
    expect(app.log.filter(({ level }) => Number(level) >= 40)).to.deep.equal([]);
  });

  it('cuts off a live reader that stops reading', async () => {
    const slow = await raw('text/event-stream', '?after=now');
    await once(slow, 'data');
    slow.pause();
    for (let n = 0; n < 40; n++) await addChanges(database, 50, 50_000);
    await until('the answer to be cut short', () => app.log.find(({ msg }) => msg === 'answer cut short'));
    slow.destroy();
  });

  it('does not mistake silence for a slow reader', async () => {
    const stream = await open('?after=now');
    await until('comments', () => stream.comments.length > 6);
    await addChanges(database, 1);
    expect(await takeIds(stream, 1)).to.deep.equal([2]);
  });

  it('is released when the caller hangs up', async () => {
    for (let n = 0; n < 5; n++) {
      const socket = await raw();
      await once(socket, 'data');
      if (n % 2) socket.destroy();
      else socket.resetAndDestroy();
    }
    await until(
      'the end of all requests',
      () =>
        app.log.filter(({ msg, route }) => msg === 'request' && route === '/v1/changes').length === 5 ||
        undefined,
    );
    expect(app.log.filter(({ level }) => Number(level) >= 40)).to.deep.equal([]);
  });

  it('ends cleanly when the process drains, even if it has only just opened', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => open('?after=now')));
    await Promise.all(all.map((stream) => until('its first event', () => stream.ids.length > 0)));
    const ends = all.map((stream) => stream.next());
    const drained = app.drain(20_000);
    expect(await Promise.all(ends)).to.deep.equal(Array(20).fill(undefined));
    expect(await drained).to.equal(true);
  });

  it('sends the existing changes and ends when it opens while the process drains', async () => {
    app.lifecycle.phase = 'draining';
    const stream = await open();
    expect(await takeIds(stream, 10)).to.deep.equal([1]);
  });

  it('delivers each change once through pages, long polls and streams of two replicas, whatever twenty writers do', async function () {
    this.timeout(120_000);
    const replicas = [await startAnother({ lifetimeMs: 250, keepAliveMs: 100 }), app];
    const writing = await MikroORM.init(ormOptions({ ...database, poolMax: 30, statementTimeoutMs: 60_000 }));
    const seen: { id: number; userId: number; version: number }[][] = [[], [], []];
    let isOver = false;
    const pages = async (into: (typeof seen)[number], parameters: string) => {
      for (let after = '0-0', turn = 0; !isOver; turn++) {
        const replica = replicas[turn % 2] as TestApp;
        const response = await replica.call(`/v1/changes?after=${after}&${parameters}`, {
          as: ADA,
        });
        const { items, nextCursor } = (await response.json()) as { items: typeof into; nextCursor: string };
        into.push(...items);
        after = nextCursor;
      }
    };
    const events = async (into: (typeof seen)[number]) => {
      for (let lastEventId = '0-0', turn = 0; !isOver; turn++) {
        const stream = await open('', { lastEventId, from: replicas[0] as TestApp });
        if (turn % 3 === 0) setTimeout(() => stream.close(), Math.random() * 100);
        for (;;) {
          const event = await stream.next().catch(() => undefined);
          if (event === undefined) break;
          into.push(JSON.parse(event.data));
          lastEventId = event.id ?? '';
        }
      }
    };
    const readers = [
      pages(seen[0] ?? [], 'limit=7'),
      pages(seen[1] ?? [], 'limit=1000&wait=1'),
      events(seen[2] ?? []),
    ];
    const changeIds = () => database.query<{ id: string }>('select id from changes order by id');
    try {
      await writeAtRandom(database, writing);
      const { length: count } = await changeIds();
      await until('all readers to see every change', () => seen.every(({ length }) => length >= count));
      await pause(500);
    } finally {
      isOver = true;
      await Promise.allSettled(readers);
      await writing.close(true);
    }
    await Promise.all(readers);
    const rows = await changeIds();
    for (const changes of seen) {
      expect(changes.map(({ id }) => id).sort((a, b) => a - b)).to.deep.equal(
        rows.map(({ id }) => Number(id)),
      );
      for (const versions of Map.groupBy(changes, ({ userId }) => userId).values()) {
        expect(versions.map(({ version }) => version)).to.deep.equal(idsFrom(1, versions.length));
      }
    }
    expect(seen[1]?.map(({ id }) => id)).to.deep.equal(seen[0]?.map(({ id }) => id));
    expect(seen[2]?.map(({ id }) => id)).to.deep.equal(seen[0]?.map(({ id }) => id));
  });
});
