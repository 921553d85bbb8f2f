import { expect } from 'chai';
import { z } from 'zod';
import { endpoint } from '../../src/http/endpoint.ts';
import { Load } from '../../src/http/server/load.ts';
import { signHs256 } from '../../src/security/hmac.ts';
import { addAccount } from '../support/accounts.ts';
import { SECRET, startApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/problem.ts';
import { eventually } from '../support/waiting.ts';

const ADMIN = 'root@example.com';
const ADA = 'ada@example.com';

describe('a server with more requests than it can answer', () => {
  let app: TestApp;
  let release: () => void;

  beforeEach(async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    release = resolve;
    const held = endpoint({
      method: 'GET',
      path: '/v1/held',
      access: 'account',
      summary: 'Wait',
      answer: { status: 200, description: 'Done.', schema: z.strictObject({ done: z.literal(true) }) },
      handle: () => promise,
      view: () => ({ done: true }),
    });
    app = await startApp({ extra: [held] });
    await addAccount(app.database, ADMIN, { role: 'admin' });
    await addAccount(app.database, ADA);
  });

  afterEach(async () => {
    release();
    await app.close();
  });

  /** Fills every place, and returns the answers to come. */
  const fill = async () => {
    const answers = Array.from({ length: 64 }, () => app.call('/v1/held', { as: ADA }));
    await eventually(() => app.load.state.inFlight === 64 || undefined);
    return answers;
  };

  it('refuses those that wait for half a second, and answers those that it has begun', async () => {
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
    const answers = await fill();
    const waiting = Array.from({ length: 20 }, () => app.call('/v1/me', { as: ADA }));
    await eventually(() => app.load.state.waiting === 20 || undefined);
    release();
    const statuses = (await Promise.all([...answers, ...waiting])).map(({ status }) => status);
    expect(new Set(statuses)).to.deep.equal(new Set([200]));
  });

  it('answers probes, event streams and the admins that it has met', async () => {
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

  it('does nothing for a caller that has hung up meanwhile', async () => {
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
    await eventually(() => app.load.state.waiting === 1 || undefined);
    hangUp.abort();
    expect(await patch).to.equal('AbortError');
    release();
    await Promise.all(answers);
    await eventually(() => app.load.state.inFlight === 0 || undefined);
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
  const limits = { places: 1, urgentPlaces: 1, waiting: 3, patienceMs: 60_000, targetMs: 60_000 };
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

  it('serves those that wait in their order, and the newest first once they wait for too long', async () => {
    for (const [targetMs, order] of [
      [60_000, [0, 1, 2]],
      [-1, [2, 1, 0]],
    ] as const) {
      const load = new Load({ ...limits, targetMs }, events());
      const leave = load.enter(never);
      const served: number[] = [];
      const waiting = [0, 1, 2].map(async (n) => {
        const leave = await load.wait();
        served.push(n);
        leave?.();
      });
      leave?.();
      await Promise.all(waiting);
      expect(served).to.deep.equal(order);
    }
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
