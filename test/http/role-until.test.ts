import { expect } from 'chai';
import pino from 'pino';
import { openStore, type Store } from '../../src/boot/open-store.ts';
import { endRoles, startExpiry } from '../../src/services/accounts/expiry.ts';
import type { AccountView } from '../../src/services/accounts/view.ts';
import { verifyHistory } from '../../src/services/history/verification.ts';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/problem.ts';
import { until } from '../support/until.ts';

const ROOT = 'root@example.com';
const ADA = 'ada@example.com';
const IN_AN_HOUR = new Date(Date.now() + 3_600_000).toISOString();
const LAST =
  'role of an admin is over and stays, because it is the last active admin; make another account an admin, or prolong its role';

describe('the role of an admin that ends', () => {
  let app: TestApp;
  let store: Store;
  let ada: number;
  let root: number;

  beforeEach(async () => {
    app = await startApp();
    store = await openStore({ database: app.database, mode: 'direct' });
    root = (await addAccount(app.database, ROOT, { role: 'admin' })).id;
    ada = (await addAccount(app.database, ADA)).id;
  });

  afterEach(async () => {
    await store.close();
    await app.close();
  });

  const patch = (id: number, body: object, as = ROOT) =>
    app.call(`/v1/users/${id}`, {
      method: 'PATCH',
      as,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
  const shown = async (response: Response | Promise<Response>): Promise<AccountView> => {
    const answer = await response;
    const text = await answer.text();
    expect(answer.status, text).to.be.oneOf([200, 201]);
    return JSON.parse(text) as AccountView;
  };
  const promote = () => patch(ada, { role: 'admin', roleUntil: IN_AN_HOUR }).then(shown);
  const statusOf = async (as: string) => (await app.call('/v1/users?limit=1', { as })).status;
  /** Lets the role of an account be over since some seconds ago. */
  const end = (id: number, seconds = 1) =>
    app.database.query(`update users set role_until = now() - $2 * interval '1 second' where id = $1`, [
      id,
      seconds,
    ]);
  const entries = (id: number) =>
    app.database.query(
      `select actor, actor_id, before, after, version from changes where user_id = $1 and action = 'updated' order by id`,
      [id],
    );

  it('is given with its end, recorded, and taken with it', async () => {
    expect(await promote()).to.include({ role: 'admin', roleUntil: IN_AN_HOUR, version: 2 });
    expect(await statusOf(ADA)).to.equal(200);
    expect(await shown(app.call(`/v1/users/${ada}`, { as: ROOT }))).to.include({ roleUntil: IN_AN_HOUR });
    // The same again changes nothing.
    expect(await shown(patch(ada, { role: 'admin' }))).to.include({ roleUntil: IN_AN_HOUR, version: 2 });
    expect(await shown(patch(ada, { roleUntil: IN_AN_HOUR }))).to.include({ version: 2 });
    expect(await shown(patch(ada, { role: 'user' }))).to.include({
      role: 'user',
      roleUntil: null,
      version: 3,
    });
    const changes = await entries(ada);
    expect(changes.map(({ before, after }) => [before, after])).to.deep.equal([
      [
        { role: 'user', roleUntil: null },
        { role: 'admin', roleUntil: IN_AN_HOUR },
      ],
      [
        { role: 'admin', roleUntil: IN_AN_HOUR },
        { role: 'user', roleUntil: null },
      ],
    ]);
    expect(await verifyHistory(store.orm.em)).to.include({ wrong: 0 });
    const { items } = (await (await app.call(`/v1/users/${ada}/history`, { as: ROOT })).json()) as {
      items: { id: number }[];
    };
    await app.call(`/v1/history/${items[0]?.id}/undo`, { method: 'POST', as: ROOT });
    expect(await shown(app.call(`/v1/users/${ada}`, { as: ROOT }))).to.include({
      role: 'admin',
      roleUntil: IN_AN_HOUR,
    });
    expect(await verifyHistory(store.orm.em)).to.include({ wrong: 0 });
  });

  it('is over at its time wherever rights are read, before anything is recorded', async () => {
    await promote();
    await end(ada);
    expect(await statusOf(ADA)).to.equal(403);
    expect(await shown(app.call('/v1/me', { as: ADA }))).to.include({
      role: 'user',
      roleUntil: null,
      version: 2,
    });
    const { totals } = (await (await app.call('/v1/statistics/days', { as: ROOT })).json()) as {
      totals: { admins: number };
    };
    expect(totals.admins).to.equal(1);
    // Who is left counts it as no admin.
    await expectProblem(await patch(root, { role: 'user' }), 409, 'last_admin');
    const bulk = await app.call('/v1/users/bulk', {
      method: 'POST',
      as: ROOT,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ ids: [root], status: 'suspended' }),
    });
    await expectProblem(bulk, 409, 'last_admin');
    expect(await statusOf(ROOT)).to.equal(200);
  });

  it('is over for a request that began before, when it commits', async () => {
    await promote();
    const { id } = await addAccount(app.database, 'grace@example.com');
    for (const change of [
      () => patch(id, { name: 'Grace' }, ADA),
      () => patch(ada, { status: 'active', name: 'Ada' }, ADA),
    ]) {
      await app.database.query(`update users set role_until = $1 where id = $2`, [IN_AN_HOUR, ada]);
      const holder = await app.database.connect();
      await holder.query(`begin; select from users where id in (${id}, ${ada}) for update`);
      const answer = change();
      await until('the request waits', async () => {
        const rows = await app.database.query(
          `select from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'`,
          [app.database.name],
        );
        return rows.length > 0;
      });
      await holder.query(
        `update users set role_until = now() - interval '1 second' where id = ${ada}; commit`,
      );
      await expectProblem(await answer, 403, 'forbidden');
    }
    expect(await entries(id)).to.deep.equal([]);
  });

  it('is recorded by the author expiry, once', async () => {
    await promote();
    await end(ada);
    const rounds = await Promise.all([endRoles(store.inUnit), endRoles(store.inUnit)]);
    expect(rounds.reduce((sum, { ended }) => sum + ended, 0)).to.equal(1);
    expect(await endRoles(store.inUnit)).to.deep.equal({ ended: 0, last: undefined });
    const [, entry] = await entries(ada);
    expect(entry).to.deep.include({ actor: 'expiry', actor_id: null, version: 3 });
    expect(entry?.['after']).to.deep.equal({ role: 'user', roleUntil: null });
    expect(await shown(app.call('/v1/me', { as: ADA }))).to.include({ role: 'user', version: 3 });
    // What is over cannot be undone: it would be over at once.
    const { items } = (await (await app.call(`/v1/users/${ada}/history`, { as: ROOT })).json()) as {
      items: { id: number }[];
    };
    await expectProblem(
      await app.call(`/v1/history/${items[0]?.id}/undo`, { method: 'POST', as: ROOT }),
      422,
      'invalid_input',
    );
  });

  it('never ends for the last active admin, which is said once, and ends once there is another', async () => {
    await end(root);
    expect(await statusOf(ROOT)).to.equal(200);
    const lines: Record<string, unknown>[] = [];
    const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
    const stop = startExpiry({
      inUnit: store.inUnit,
      log,
      pauses: { firstMs: 1, retryMs: 20, roundMs: 20 },
    });
    try {
      await until('the warning', () => lines.length > 0);
      expect(lines[0]).to.include({ level: 40, account: root, msg: LAST });
      // It may do what an admin may, and be changed by itself as one.
      expect(await shown(patch(ada, { role: 'admin' }))).to.include({ role: 'admin', roleUntil: null });
      expect(await statusOf(ROOT)).to.equal(403);
      await until('the end is recorded', async () => (await entries(root)).length > 0);
      expect(lines.filter(({ msg }) => msg === LAST)).to.have.length(1);
    } finally {
      await stop();
    }
    expect(await statusOf(ADA)).to.equal(200);
  });

  it('lets the last active admin whose role is over make another one, in every way', async () => {
    const send = (path: string, body: string, headers: Record<string, string> = {}) =>
      app.call(path, {
        method: 'POST',
        as: ROOT,
        headers: { 'Content-Type': 'application/json', ...headers },
        body,
      });
    const keyed = (method: string, path: string, body: object) =>
      app.call(path, {
        method,
        as: ROOT,
        headers: { 'Content-Type': 'application/json', 'Idempotency-Key': crypto.randomUUID() },
        body: JSON.stringify(body),
      });
    const ADMIN = { role: 'admin' };
    await patch(ada, { role: 'admin' }).then(shown);
    await patch(ada, { role: 'user' }).then(shown);
    const [, demotion] = await app.database.query<{ id: string }>(
      `select id from changes where user_id = $1 and action = 'updated' order by id`,
      [ada],
    );
    const ways = {
      'after a dry run': async () => {
        const url = `/v1/users/${ada}?dryRun=true`;
        await shown(keyed('PATCH', url, ADMIN));
        return patch(ada, ADMIN);
      },
      'under a key': () => keyed('PATCH', `/v1/users/${ada}`, ADMIN),
      'a new account under a key': () => keyed('POST', '/v1/users', { email: 'new@example.com', ...ADMIN }),
      'in bulk': () => send('/v1/users/bulk', JSON.stringify({ ids: [ada], ...ADMIN })),
      'by an import': () =>
        send('/v1/users/import?mode=upsert', `{"email":"${ADA}","role":"admin"}`, {
          'Content-Type': 'application/x-ndjson',
        }),
      'by an import of a new one': () =>
        send('/v1/users/import', '{"email":"grace@example.com","role":"admin"}', {
          'Content-Type': 'application/x-ndjson',
        }),
      'by an undo': () => app.call(`/v1/history/${demotion?.id}/undo`, { method: 'POST', as: ROOT }),
      'by a longer role': async () => {
        await app.database.query(
          `update users set role = 'admin', role_until = now() - interval '1 hour' where id = $1`,
          [ada],
        );
        return keyed('PATCH', `/v1/users/${ada}`, { roleUntil: IN_AN_HOUR });
      },
    };
    for (const [way, make] of Object.entries(ways)) {
      await app.database.query(`update users set role = 'user', role_until = null where id <> $1`, [root]);
      await end(root);
      const response = await make();
      expect(response.status, `${way}: ${await response.text()}`).to.be.oneOf([200, 201]);
      expect(await statusOf(ROOT), way).to.equal(403);
    }
  });

  it('stays with the one that ended last where all are over', async () => {
    await promote();
    await end(root, 20);
    await end(ada, 10);
    expect([await statusOf(ROOT), await statusOf(ADA)]).to.deep.equal([403, 200]);
    expect(await endRoles(store.inUnit)).to.deep.equal({ ended: 1, last: ada });
    expect([await statusOf(ROOT), await statusOf(ADA)]).to.deep.equal([403, 200]);
    expect(await shown(patch(ada, { roleUntil: null }, ADA))).to.include({ role: 'admin', roleUntil: null });
  });

  it('is given anew after its end', async () => {
    await promote();
    await end(ada);
    expect(await shown(patch(ada, { role: 'admin' }))).to.include({ role: 'admin', roleUntil: null });
    expect(await statusOf(ADA)).to.equal(200);
  });

  it('ends in the future, and is that of an admin', async () => {
    for (const body of [
      { role: 'admin', roleUntil: '2020-01-01T00:00:00Z' },
      { role: 'admin', roleUntil: 'tomorrow' },
      { role: 'admin', roleUntil: '9999-12-31T23:59:59-12:00' },
      { role: 'user', roleUntil: IN_AN_HOUR },
      { roleUntil: IN_AN_HOUR },
    ]) {
      const { errors } = await expectProblem(await patch(ada, body), 422, 'invalid_input');
      expect((errors as { path: string }[]).map(({ path }) => path)).to.deep.equal(['roleUntil']);
    }
    expect(await shown(patch(ada, { roleUntil: null }))).to.include({ version: 1 });
    const created = await app.call('/v1/users', {
      method: 'POST',
      as: ROOT,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ email: 'new@example.com', role: 'admin', roleUntil: IN_AN_HOUR }),
    });
    expect(await shown(created)).to.include({ role: 'admin', roleUntil: IN_AN_HOUR });
    expect(await statusOf('new@example.com')).to.equal(200);
    expect(await verifyHistory(store.orm.em)).to.include({ wrong: 0 });
  });

  it('is exported, and imported with its end', async () => {
    await promote();
    for (const type of ['text/csv', 'application/x-ndjson']) {
      const file = await (await app.call('/v1/users/export', { as: ROOT, headers: { Accept: type } })).text();
      expect(file).to.include(IN_AN_HOUR);
      const send = (body: string) =>
        app.call('/v1/users/import?mode=upsert', {
          method: 'POST',
          as: ROOT,
          headers: { 'Content-Type': type },
          body,
        });
      expect(await (await send(file)).json()).to.include({ updated: 0, created: 0, failed: 0 });
      const others = file.replaceAll(/(?<=")a(?=da@)|(?<=,)a(?=da@)/g, `${type === 'text/csv' ? 'c' : 'n'}`);
      expect(await (await send(others)).json()).to.include({ created: 1 });
    }
    const rows = await app.database.query(
      `select count(*)::int as count from users where role = 'admin' and role_until = $1`,
      [IN_AN_HOUR],
    );
    expect(rows).to.deep.equal([{ count: 3 }]);
    expect(await verifyHistory(store.orm.em)).to.include({ wrong: 0 });
  });
});
