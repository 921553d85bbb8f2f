import { expect } from 'chai';
import fc from 'fast-check';
import { addAccount, LONG_AGO } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { createMigratedDatabase } from '../support/database.ts';
import { type Entry, visitor } from '../support/history.ts';
import { expectProblem } from '../support/problem.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';

const ADMIN = 'ada@example.com';
const ZERO = Date.parse(LONG_AGO);

describe('an account at a past time', () => {
  let app: TestApp;
  let wire: DatabaseProxy;
  let visit: ReturnType<typeof visitor>;

  beforeEach(async () => {
    const database = await createMigratedDatabase();
    wire = await startProxy(database.url);
    app = await startApp({ database, through: wire.url });
    await addAccount(database, ADMIN, { role: 'admin' });
    visit = visitor(app, ADMIN);
  });

  afterEach(async () => {
    await app.close();
    await wire.close();
  });

  const at = (id: number, time: string | number, headers = {}) =>
    app.call(`/v1/users/${id}?at=${encodeURIComponent(new Date(time).toISOString())}`, {
      as: ADMIN,
      headers,
    });
  const historyOf = (id: number) => visit.history({}, `/v1/users/${id}/history`);

  it('is shown exactly as it was then, with the same entity tag', async () => {
    const { id } = await addAccount(app.database, 'grace@example.com', { preferences: { theme: 'light' } });
    const path = `/v1/users/${id}`;
    const first = await (await visit.send('GET', path)).text();
    await visit.done(200, 'PATCH', path, { name: 'Grace', preferences: { theme: 'dark', a: { b: 1 } } });
    const second = await (await visit.send('GET', path)).text();
    const response = await at(id, ZERO);
    expect(response.headers.get('etag')).to.equal('"1"');
    expect(await response.text()).to.equal(first);
    expect(await (await at(id, Date.now() + 3_600_000)).text()).to.equal(second);
    expect((await at(id, ZERO, { 'If-None-Match': '"1"' })).status).to.equal(304);
    expect((await at(id, ZERO, { 'If-None-Match': '"2"' })).status).to.equal(200);
  });

  it('is 404 before its creation and while it is deleted', async () => {
    const { id } = await addAccount(app.database, 'grace@example.com');
    await visit.done(204, 'DELETE', `/v1/users/${id}`);
    const [deletion] = (await historyOf(id)) as [Entry];
    const gone = Date.parse(deletion.at);
    const restored = await visit.done<Entry>(200, 'POST', `/v1/history/${deletion.id}/undo`);
    await expectProblem(await at(id, ZERO - 1), 404, 'not_found');
    expect((await at(id, ZERO)).status).to.equal(200);
    expect((await at(id, gone - 1)).status).to.equal(200);
    await expectProblem(await at(id, gone), 404, 'not_found');
    await expectProblem(await at(id, Date.parse(restored.at) - 1), 404, 'not_found');
    expect(await (await at(id, restored.at)).json()).to.include({ version: 3, createdAt: LONG_AGO });
    for (const other of [0, 999, 2147483648])
      await expectProblem(await at(other, Date.now()), 404, 'not_found');
  });

  it('is 410 once it is erased', async () => {
    const { id } = await addAccount(app.database, 'grace@example.com');
    await visit.done(204, 'DELETE', `/v1/users/${id}`);
    await app.database.query(
      `update changes set before = null, after = null, erased_at = now() where user_id = ${id}`,
    );
    await expectProblem(await at(id, ZERO - 1), 404, 'not_found');
    await expectProblem(await at(id, ZERO), 410, 'erased');
    await expectProblem(await at(id, Date.now()), 410, 'erased');
  });

  it('keeps its creation time when its history starts later', async () => {
    // An entry as the migration writes it to start a history.
    await app.database.query(`
      insert into changes (at, actor, user_id, action, after, fields, version)
      values ('2024-02-29 12:00:00.123999+00', 'boot', 999, 'created',
        '{"email":"old@example.com","name":"Old","role":"user","status":"active","storageMode":"local","preferences":{"a":null},
          "createdAt":"2019-01-02T08:49:05.678901+05:45"}', '{email}', 7)`);
    expect(await (await at(999, '2024-02-29T12:00:00.123Z')).json()).to.deep.equal({
      id: 999,
      email: 'old@example.com',
      name: 'Old',
      role: 'user',
      status: 'active',
      preferences: { a: null },
      storageMode: 'local',
      version: 7,
      createdAt: '2019-01-02T03:04:05.678Z',
      updatedAt: '2024-02-29T12:00:00.123Z',
      roleUntil: null,
      lastSeenAt: null,
    });
  });

  for (const time of ['', 'now', '2026-01-31', '2026-01-31T12:00:00', '2026-02-30T00:00:00Z']) {
    it(`is refused for an invalid time: ${JSON.stringify(time)}`, async () => {
      await expectProblem(await visit.send('GET', `/v1/users/1?at=${time}`), 400, 'invalid_query');
    });
  }

  it('is rebuilt from a long history in batches, and so is the data export', async () => {
    const { id, email } = await addAccount(app.database, 'grace@example.com');
    // Two entries in each microsecond, which a real account never has.
    await app.database.query(`
      insert into changes (at, actor, user_id, action, before, after, fields, version)
      select timestamptz '2021-01-01Z' + (i / 2) * interval '1 microsecond', 'cli', ${id}, 'updated', '{}',
             jsonb_build_object('name', 'Grace ' || i, 'preferences', jsonb_build_object('n' || i % 7, i)), '{name}', 1 + i
        from generate_series(1, 2500) i`);
    await app.database.query(
      `update users set version = 2501, updated_at = '2021-01-01 00:00:00.00125Z' where id = ${id}`,
    );
    await visit.history();
    wire.reset();
    expect(await (await at(id, '2021-01-01T00:00:00.001Z')).json()).to.deep.include({
      name: 'Grace 2500',
      version: 2501,
      preferences: { n0: 2499, n1: 2500, n2: 2494, n3: 2495, n4: 2496, n5: 2497, n6: 2498 },
    });
    expect(wire.statements()).to.equal(1 + 5);
    expect(await (await at(id, '2021-01-01T00:00:00.000Z')).json()).to.include({ version: 2000 });
    const { account, history } = await visit.done<{ account: unknown; history: Entry[] }>(
      200,
      'GET',
      '/v1/me/export',
      undefined,
      email,
    );
    expect(account).to.include({ email });
    expect(history.map(({ version }) => version)).to.deep.equal(
      Array.from({ length: 2501 }, (_, i) => i + 1),
    );
  });

  const key = fc.constantFrom('b', 'a', 'ab', 'é', '10', '9', 'a.b');
  const json = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom(null, 0, -0, 1.5, '', 'x', true, [1, { a: null }], {}),
      fc.dictionary(key, tie('value'), { maxKeys: 3 }),
    ),
  })).value;
  const preferences = fc.dictionary(key, json, { maxKeys: 3 });
  const command = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        method: fc.constant('PATCH'),
        body: fc.record(
          {
            name: fc.constantFrom('Grace', 'Hopper', null),
            role: fc.constantFrom('user', 'admin'),
            status: fc.constantFrom('active', 'suspended'),
            storageMode: fc.constantFrom('local', 'account'),
            email: fc.constantFrom('grace@example.com', 'hopper@example.com'),
            preferences,
          },
          { requiredKeys: [] },
        ),
      }),
    },
    { weight: 1, arbitrary: fc.record({ method: fc.constant('DELETE') }) },
    {
      weight: 4,
      arbitrary: fc.record({ undo: fc.nat({ max: 99 }) }),
    },
    { weight: 2, arbitrary: fc.constant({ undo: 0 }) },
  );

  it('matches each step of a random walk of changes, deletions and undos', async function () {
    this.timeout(120_000);
    let undone = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 25, maxLength: 40 }), async (commands) => {
        await app.database.query(`delete from users where email <> '${ADMIN}'`);
        const { id } = await visit.done<{ id: number }>(201, 'POST', '/v1/users', {
          email: 'grace@example.com',
        });
        const path = `/v1/users/${id}`;
        const shown = async () => {
          const response = await visit.send('GET', path);
          return response.status === 404 ? null : response.text();
        };
        const steps = [{ time: (await historyOf(id))[0]?.at as string, text: await shown() }];
        for (const step of commands) {
          const before = await historyOf(id);
          if ('undo' in step) {
            const entry = before[step.undo % before.length] as Entry;
            const response = await visit.send('POST', `/v1/history/${entry.id}/undo`);
            expect(response.status, await response.clone().text()).to.be.oneOf([200, 409]);
            // The latest entry can always be undone.
            if (entry === before[0]) expect(response.status).to.equal(200);
            if (response.status === 200) undone++;
          } else {
            const { method, body } = { body: undefined, ...step };
            const response = await visit.send(method, path, body);
            expect(response.status).to.be.oneOf([200, 204, 404]);
          }
          const after = await historyOf(id);
          expect(after.length - before.length).to.be.oneOf([0, 1]);
          const text = await shown();
          if (after.length === before.length) expect(text).to.equal(steps.at(-1)?.text);
          else steps.push({ time: after[0]?.at as string, text });
        }
        const times = steps.map(({ time }) => time);
        expect(times).to.deep.equal([...new Set(times)].sort());
        let previous: string | null = null;
        for (const { time, text } of steps) {
          for (const [moment, expected] of [
            [Date.parse(time) - 1, previous],
            [Date.parse(time), text],
          ] as const) {
            const response = await at(id, moment);
            if (expected === null) await expectProblem(response, 404, 'not_found');
            else expect(await response.text()).to.equal(expected);
          }
          previous = text;
        }
      }),
      { numRuns: 8, endOnFailure: true },
    );
    expect(undone).to.be.greaterThan(20);
  });
});
