import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { z } from 'zod';
import { endpoint } from '../../src/http/endpoint.ts';
import { Load, type LoadLimits } from '../../src/http/server/load.ts';
import { signHs256 } from '../../src/security/hmac.ts';
import { addAccount } from '../support/accounts.ts';
import { SECRET, startApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/problem.ts';
import { dial } from '../support/raw-http.ts';
import { until } from '../support/until.ts';

const ADMIN = 'root@example.com';
const ADA = 'ada@example.com';
const HOUR = 3_600_000;

describe('a server with more requests than it can answer', () => {
  let app: TestApp;
  let release: () => void;
  let sockets: Socket[];

  /** Starts it. Nobody who waits is late, or refused, unless `loadLimits` says so. */
  const start = async (loadLimits: Partial<LoadLimits> = {}) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    release = resolve;
    const held = endpoint({
      method: 'GET',
      path: '/v1/held',
      access: 'account',
      summary: 'Wait',
      description: 'For a test.',
      answer: { status: 200, description: 'Done.', schema: z.strictObject({ done: z.literal(true) }) },
      handle: () => promise,
      view: () => ({ done: true }),
    });
    const large = endpoint({
      method: 'GET',
      path: '/v1/large',
      access: 'account',
      summary: 'Read much',
      description: 'For a test.',
      answer: { status: 200, description: 'Much.', schema: z.string() },
      handle: () => 'x'.repeat(4_000_000),
      view: (text) => text,
    });
    sockets = [];
    app = await startApp({
      extra: [held, large],
      rateLimit: { failures: 3 },
      loadLimits: { patienceMs: HOUR, burstMs: HOUR, ...loadLimits },
    });
    await addAccount(app.database, ADMIN, { role: 'admin' });
    await addAccount(app.database, ADA);
  };

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    release();
    await app.close();
  });

  /** Fills every place, and returns the answers to come. */
  const fill = async () => {
    const answers = Array.from({ length: 64 }, () => app.call('/v1/held', { as: ADA }));
    await until('all places to be taken', () => app.load.state.inFlight === 64);
    return answers;
  };

  it('refuses those that have waited for too long, and answers those that it has begun', async () => {
    await start({ patienceMs: 200 });
    const answers = await fill();
    const refused = await Promise.all(Array.from({ length: 20 }, () => app.call('/v1/me', { as: ADA })));
    for (const response of refused) {
      expect(response.headers.get('retry-after')).to.equal('1');
      await expectProblem(response, 503, 'overloaded');
    }
    // One line, however many are refused.
    const told = app.log.filter(({ msg }) => `${msg}`.startsWith('overloaded'));
    expect(told).to.have.length(1);
    expect(told[0]).to.include({ level: 40, inFlight: 64 });
    release();
    expect((await Promise.all(answers)).map(({ status }) => status)).to.deep.equal(Array(64).fill(200));
    expect((await app.call('/v1/me', { as: ADA })).status).to.equal(200);
    expect(app.load.state).to.deep.equal({ inFlight: 0, waiting: 0 });
  });

  it('answers those that wait as soon as there is a place', async () => {
    await start();
    const answers = await fill();
    const waiting = Array.from({ length: 20 }, () => app.call('/v1/me', { as: ADA }));
    await until('the others to wait', () => app.load.state.waiting === 20);
    release();
    const statuses = (await Promise.all([...answers, ...waiting])).map(({ status }) => status);
    expect(new Set(statuses)).to.deep.equal(new Set([200]));
  });

  it('answers those that are late once there are places to spare', async () => {
    await start({ burstMs: 0, targetMs: 0, spareMs: 20 });
    const answers = await fill();
    const waiting = Array.from({ length: 60 }, () => app.call('/v1/me', { as: ADA }));
    await until('the others to wait', () => app.load.state.waiting === 60);
    release();
    const statuses = (await Promise.all([...answers, ...waiting])).map(({ status }) => status);
    expect(new Set(statuses)).to.deep.equal(new Set([200]));
    expect(app.load.state).to.deep.equal({ inFlight: 0, waiting: 0 });
  });

  it('answers probes, event streams and the admins that it has met', async () => {
    await start({ patienceMs: 200 });
    const asAdmin = { headers: { Authorization: `Bearer ${await signHs256(SECRET, ADMIN, '1h')}` } };
    expect((await app.call('/v1/users', asAdmin)).status).to.equal(200);
    const answers = await fill();
    expect((await app.call('/healthz')).status).to.equal(200);
    expect((await app.call('/readyz')).status).to.equal(200);
    expect((await app.call('/v1/users', asAdmin)).status).to.equal(200);
    expect((await app.call('/v1/changes?limit=1', asAdmin)).status).to.equal(200);
    await expectProblem(await app.call('/v1/me', { as: ADA }), 503, 'overloaded');
    release();
    await Promise.all(answers);
  });

  /** Sends the same bytes over many connections, and reads no answer. */
  const sendUnread = async (count: number, bytes: string) => {
    const token = await signHs256(SECRET, ADA, '1h');
    for (let n = 0; n < count; n++) {
      const socket = await dial(app.url);
      sockets.push(socket.pause());
      socket.write(bytes.replace('\r\n', `\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n`));
    }
  };
  const isServed = async () => expect((await app.call('/v1/me', { as: ADA })).status).to.equal(200);

  it('keeps no place for a body that is slow to arrive, and reads it all the same', async () => {
    await start();
    await sendUnread(
      100,
      'PATCH /v1/me/preferences HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{',
    );
    await until('all places to be free', () => app.load.state.inFlight === 0);
    await isServed();
    const [socket] = sockets;
    const answer = once(socket as Socket, 'data');
    socket?.resume().write('}');
    expect(`${await answer}`).to.match(/^HTTP\/1\.1 200 /);
  });

  it('keeps no place for an answer that is not read', async () => {
    await start();
    await sendUnread(80, 'GET /v1/large HTTP/1.1\r\n\r\n');
    await until('an answer for each', () => sockets.every(({ bytesRead }) => bytesRead > 0));
    expect(app.load.state).to.deep.equal({ inFlight: 0, waiting: 0 });
    await isServed();
  });

  it('keeps no place for credentials that wait to be checked', async () => {
    await start();
    await isServed();
    const tokens = Array.from({ length: 200 }, (_, n) => `${n}`);
    const flood = tokens.map((token) =>
      app.call('/v1/me', { headers: { Authorization: `Bearer ${token}` } }).then(({ status }) => status),
    );
    for (let n = 0; n < 5; n++) await isServed();
    expect(new Set(await Promise.all(flood))).to.deep.equal(new Set([401, 429]));
  });

  it('keeps no place for a poll of the change feed that waits', async () => {
    await start();
    const polls = Array.from({ length: 70 }, () => app.call('/v1/changes?after=now&wait=30', { as: ADMIN }));
    await until('every follower', () => app.feed.followers === 70);
    expect(app.load.state).to.deep.equal({ inFlight: 0, waiting: 0 });
    await isServed();
    app.lifecycle.phase = 'draining';
    expect(new Set((await Promise.all(polls)).map(({ status }) => status))).to.deep.equal(new Set([200]));
  });

  it('does nothing for a caller that has hung up meanwhile', async () => {
    await start();
    const answers = await fill();
    const hangUp = new AbortController();
    const body = '{"theme":"dark"}';
    const patch = app
      .call('/v1/me/preferences', {
        method: 'PATCH',
        as: ADA,
        body,
        headers: { 'Content-Type': 'application/merge-patch+json' },
        signal: hangUp.signal,
      })
      .catch((error: Error) => error.name);
    await until('the request to wait', () => app.load.state.waiting === 1);
    hangUp.abort();
    expect(await patch).to.equal('AbortError');
    release();
    await Promise.all(answers);
    await until('all places to be free', () => app.load.state.inFlight === 0);
    expect(await app.database.query('select from changes where version > 1')).to.have.length(0);
  });
});

describe('the load of a process', () => {
  const events = () => {
    const told: (string | number)[] = [];
    return {
      told,
      onOverload: () => void told.push('overload'),
      onRelief: (refused: number) => void told.push(refused),
    };
  };
  const limits = {
    places: 1,
    urgentPlaces: 1,
    waiting: 3,
    patienceMs: 60_000,
    burstMs: 60_000,
    targetMs: 60_000,
    spareMs: 20,
    reliefMs: 60_000,
  };
  const never = () => false;

  it('has more places for the urgent', () => {
    const load = new Load(limits, events());
    const leave = load.enter(never);
    expect(leave).not.to.equal(undefined);
    expect(load.enter(never)).to.equal(undefined);
    expect(load.enter(() => true)).not.to.equal(undefined);
    expect(load.enter(() => true)).to.equal(undefined);
    leave?.();
    // One urgent request is still there, in a place that everybody may have.
    expect(load.enter(never)).to.equal(undefined);
  });

  /** A load whose clock is `time`, in milliseconds, and what became of those that waited, in order: a minus for a refusal. */
  const crowd = (limits: LoadLimits) => {
    let time = 0;
    const load = new Load(limits, { ...events(), now: () => time });
    const answered: string[] = [];
    const leaves = new Map<string, () => void>([['first', load.enter(never) as () => void]]);
    return {
      load,
      answered,
      at(now: number) {
        time = now;
      },
      wait(...names: readonly string[]) {
        for (const name of names)
          void load.wait().then((leave) => {
            answered.push(leave ? name : `-${name}`);
            if (leave) leaves.set(name, leave);
          });
      },
      async leave(name: string) {
        leaves.get(name)?.();
        await pause(0);
      },
    };
  };

  it('serves a burst in its order, however late, and refuses nobody', async () => {
    const { answered, at, wait, leave } = crowd({ ...limits, targetMs: 10 });
    wait('a', 'b', 'c');
    for (const [now, name] of [
      [20_000, 'first'],
      [40_000, 'a'],
      [59_000, 'b'],
    ] as const) {
      at(now);
      await leave(name);
    }
    expect(answered).to.deep.equal(['a', 'b', 'c']);
  });

  it('serves the newest first once it has been behind for long, and those that are late when there is nobody else', async () => {
    const { load, answered, at, wait, leave } = crowd({
      ...limits,
      waiting: 10,
      burstMs: 1_000,
      targetMs: 5_000,
    });
    wait('a');
    at(50_000);
    wait('b', 'c');
    at(51_000);
    await leave('first');
    expect(answered).to.deep.equal(['c']);
    wait('d');
    at(52_000);
    await leave('c');
    at(54_000);
    await leave('d');
    expect(answered).to.deep.equal(['c', 'd', 'b']);
    // The place was taken until now, and may be wanted again in a moment.
    at(54_010);
    await leave('b');
    await pause(50);
    expect(answered).to.have.length(3);
    expect(load.state).to.deep.equal({ inFlight: 0, waiting: 1 });
    at(54_100);
    await until('everybody to be answered', () => answered.length === 4);
    expect(answered[3]).to.equal('a');
    // It has caught up: who waits now is part of a burst.
    at(58_000);
    wait('e', 'f');
    at(59_000);
    await leave('a');
    expect(answered.slice(4)).to.deep.equal(['e']);
  });

  it('keeps half of the places for those that are newer than the late', async () => {
    const { load, answered, at, wait, leave } = crowd({ ...limits, places: 4, burstMs: 0, targetMs: 10 });
    const others = Array.from({ length: 3 }, () => load.enter(never) as () => void);
    wait('a', 'b', 'c');
    at(100);
    for (const leaveOther of others.slice(0, 2)) leaveOther();
    await pause(0);
    expect(answered).to.deep.equal([]);
    others[2]?.();
    await pause(0);
    expect(answered).to.deep.equal(['c']);
    await leave('first');
    expect(answered).to.deep.equal(['c', 'b']);
    expect(load.state).to.deep.equal({ inFlight: 2, waiting: 1 });
  });

  it('tells once that it is overloaded, and when it no longer is', async () => {
    const { told, ...callbacks } = events();
    const load = new Load({ ...limits, patienceMs: 10, reliefMs: 100 }, callbacks);
    const leave = load.enter(never);
    await Promise.all([load.wait(), load.wait()]);
    leave?.();
    expect(told).to.deep.equal(['overload']);
    await until('the relief', () => told.length > 1);
    expect(told).to.deep.equal(['overload', 2]);
  });

  it('refuses the oldest when too many wait, and each that has waited for too long', async () => {
    const { told, ...callbacks } = events();
    const load = new Load({ ...limits, patienceMs: 50 }, callbacks);
    load.enter(never);
    const answered: number[] = [];
    const waiting = [0, 1, 2, 3].map(async (n) => {
      expect(await load.wait()).to.equal(undefined);
      answered.push(n);
    });
    await Promise.resolve();
    await waiting[0];
    expect(answered).to.deep.equal([0]);
    await Promise.all(waiting);
    expect(answered).to.deep.equal([0, 1, 2, 3]);
    expect(told).to.deep.equal(['overload']);
    expect(load.state).to.deep.equal({ inFlight: 1, waiting: 0 });
  });
});
