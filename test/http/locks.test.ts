import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { isLockTimeout } from '../../src/database/driver-errors.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/problem.ts';
import { forge } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const ADA = 'ada@example.com';
const WRITERS = 20;

describe('a lock of another transaction', function () {
  this.timeout(60_000);

  let app: TestApp;
  let ada: number;

  const start = async (options: Parameters<typeof startApp>[0] = {}) => {
    app = await startApp(options);
    ({ id: ada } = await addAccount(app.database, ADA));
    await addAccount(app.database, 'root@example.com', { role: 'admin' });
    for (let n = 0; n < WRITERS; n++) await addAccount(app.database, `user${n}@example.com`);
  };

  beforeEach(() => start());

  afterEach(() => app.close());

  /** Holds a lock, and returns how to give it back. */
  const lock = async (statement: string) => {
    const holder = await app.database.connect();
    await holder.query('begin');
    await holder.query(statement);
    return () => holder.query('rollback');
  };
  const lockAccount = (id: number) => lock(`select from users where id = ${id} for update`);
  let writes = 0;
  const write = (as: string, path = '/v1/me', method = 'PATCH') =>
    app.call(path, {
      method,
      as,
      ...(method === 'PATCH' && { body: JSON.stringify({ name: `Name ${++writes}` }) }),
      headers: { 'Content-Type': 'application/merge-patch+json' },
    });
  const create = (email: string) =>
    app.call('/v1/users', {
      method: 'POST',
      as: 'root@example.com',
      body: JSON.stringify({ email }),
      headers: { 'Content-Type': 'application/json' },
    });
  const waiting = async () => {
    const [row] = await app.database.query<{ count: number }>(
      `select count(*)::int from pg_stat_activity
        where datname = $1 and application_name = 'rollcall' and wait_event_type = 'Lock'`,
      [app.database.name],
    );
    return row?.count ?? 0;
  };
  /** Writes again and again until told to stop, as often as answers come; returns the answers. */
  const writeOn = (send: () => Promise<Response>) => {
    const answers: Response[] = [];
    let isOver = false;
    const done = (async () => {
      while (!isOver) answers.push(await send());
    })();
    return async () => {
      isOver = true;
      await done;
      return answers;
    };
  };

  it('makes a write give up with a refusal of its own', async () => {
    const unlock = await lockAccount(ada);
    for (const answer of [
      await write(ADA),
      await write('root@example.com', `/v1/users/${ada}`),
      await write(ADA, '/v1/me', 'DELETE'),
      await write(ADA, '/v1/me?dryRun=true'),
    ]) {
      expect(answer.headers.get('retry-after')).to.equal('1');
      const { detail } = await expectProblem(answer, 503, 'lock_timeout');
      expect(detail).to.equal('Another transaction holds a lock that this request needs: try again shortly.');
    }
    await unlock();
    expect((await write(ADA)).status).to.equal(200);
    expect((await accountsIn(app.database)).find(({ id }) => id === ada)?.version).to.equal(2);
  });

  it('makes a write wait that gets it in time, and lets the later ones of the account follow', async () => {
    const unlock = await lockAccount(ada);
    const answers = Promise.all(Array.from({ length: 10 }, () => write(ADA)));
    await until('a write that waits', async () => (await waiting()) > 0);
    await pause(300);
    await unlock();
    expect((await answers).map(({ status }) => status)).to.deep.equal(Array(10).fill(200));
    expect((await accountsIn(app.database)).find(({ id }) => id === ada)?.version).to.equal(11);
  });

  it('of an account leaves the others their connections, and everything is as before afterwards', async () => {
    const unlock = await lockAccount(ada);
    const writers = Array.from({ length: WRITERS }, () => writeOn(() => write(ADA)));
    await until('the first refusal', () => app.log.some(({ code }) => code === 'lock_timeout'));
    let most = 0;
    for (let round = 0; round < 10; round++) {
      const answers = Array.from({ length: WRITERS }, (_, n) =>
        n % 2 === 0 ? write(`user${n}@example.com`) : app.call('/v1/me', { as: `user${n}@example.com` }),
      );
      for (const { status } of await Promise.all(answers)) expect(status).to.equal(200);
      most = Math.max(most, await waiting());
    }
    expect(most).to.be.at.most(2);
    await unlock();
    await until('a write of the account', async () =>
      (await accountsIn(app.database)).some(({ id, version }) => id === ada && version > WRITERS),
    );
    const answers = (await Promise.all(writers.map((stop) => stop()))).flat();
    const succeeded = answers.filter(({ status }) => status === 200).length;
    for (const answer of answers) expect(answer.status).to.be.oneOf([200, 503]);
    // What was refused is not there, and what was not is.
    const [{ version } = { version: 0 }] = await app.database.query<{ version: number }>(
      'select version from users where id = $1',
      [ada],
    );
    expect(version).to.equal(1 + succeeded);
    expect((await write(ADA)).status).to.equal(200);
    expect(await waiting()).to.equal(0);
  });

  for (const poolMax of [2, 3, 4])
    it(`of an account lets the others write with a pool of ${poolMax}, too`, async () => {
      await app.close();
      await start({ poolMax });
      const unlock = await lockAccount(ada);
      const locked = Array.from({ length: 3 }, () => writeOn(() => write(ADA)));
      await until('the first refusal', () => app.log.some(({ code }) => code === 'lock_timeout'));
      const writers = Array.from({ length: WRITERS }, (_, n) => writeOn(() => write(`user${n}@example.com`)));
      await pause(2_000);
      for (const { status } of (await Promise.all(writers.map((stop) => stop()))).flat())
        expect(status).to.equal(200);
      await unlock();
      await Promise.all(locked.map((stop) => stop()));
    });

  it('of every account leaves connections to whoever reads', async () => {
    const unlock = await lock('select from users for update');
    const writers = Array.from({ length: WRITERS }, (_, n) => writeOn(() => write(`user${n}@example.com`)));
    await until('the first refusal', () => app.log.some(({ code }) => code === 'lock_timeout'));
    let most = 0;
    for (let round = 0; round < 10; round++) {
      expect((await app.call('/v1/me', { as: ADA })).status).to.equal(200);
      most = Math.max(most, await waiting());
    }
    expect(most).to.be.below(app.database.poolMax);
    await unlock();
    await Promise.all(writers.map((stop) => stop()));
    for (let n = 0; n < WRITERS; n++) expect((await write(`user${n}@example.com`)).status).to.equal(200);
  });

  it('of many accounts keeps few requests waiting, and refuses the other writes at once', async () => {
    const emails = Array.from({ length: 60 }, (_, n) => `locked${n}@example.com`);
    for (const email of emails) await addAccount(app.database, email);
    const unlock = await lock(`select from users where email like 'locked%' for update`);
    const answers = emails.map((email) => write(email));
    const refused = () => app.log.filter(({ code }) => code === 'lock_timeout');
    // Five have a connection, and eight wait.
    await until('refusals', () => refused().length >= 60 - 5 - 8);
    expect(refused().some(({ reason }) => /Too many others wait/.test(`${reason}`))).to.equal(true);
    await until('their ends', () => app.load.state.inFlight <= 5 + 8);
    for (let n = 0; n < 10; n++) expect((await app.call('/v1/me', { as: ADA })).status).to.equal(200);
    expect((await write(ADA)).status).to.equal(200);
    await unlock();
    for (const answer of await Promise.all(answers))
      if (answer.status !== 200) await expectProblem(answer, 503, 'lock_timeout');
    for (const email of emails) expect((await write(email)).status).to.equal(200);
  });

  it('of an email that another transaction is about to use makes who creates the account give up', async () => {
    const unlock = await lock(`insert into users (email) values ('new@example.com')`);
    await expectProblem(await create('new@example.com'), 503, 'lock_timeout');
    await unlock();
    expect((await create('new@example.com')).status).to.equal(201);
  });

  it('of the admin who writes makes the write give up', async () => {
    const [root] = await app.database.query<{ id: number }>(`select id from users where role = 'admin'`);
    const unlock = await lockAccount(root?.id ?? 0);
    await expectProblem(await write('root@example.com', `/v1/users/${ada}`), 503, 'lock_timeout');
    await unlock();
    expect((await write('root@example.com', `/v1/users/${ada}`)).status).to.equal(200);
  });

  it('of a table, as one who builds an index on it takes, makes writes give up and leaves reads alone', async () => {
    const unlock = await lock('lock table changes in share mode');
    await expectProblem(await write(ADA), 503, 'lock_timeout');
    expect((await app.call('/v1/me', { as: ADA })).status).to.equal(200);
    await unlock();
    expect((await write(ADA)).status).to.equal(200);
  });

  it('of a table leaves connections to others, however many write and whenever', async () => {
    const unlock = await lock('lock table changes in share mode');
    const writers = Array.from({ length: WRITERS }, (_, n) =>
      writeOn(async () => {
        await pause(Math.random() * 100);
        return n % 2 === 0 ? create(`new${++writes}@example.com`) : write(`user${n}@example.com`);
      }),
    );
    await until('writes that wait', async () => (await waiting()) > 0);
    let most = 0;
    for (let isRefused = false; !isRefused; ) {
      expect((await app.call('/v1/me', { as: ADA })).status).to.equal(200);
      most = Math.max(most, await waiting());
      isRefused = app.log.some(({ code }) => code === 'lock_timeout');
    }
    expect(most).to.be.within(2, app.database.poolMax - 2);
    await unlock();
    for (const answer of (await Promise.all(writers.map((stop) => stop()))).flat())
      if (!answer.ok) await expectProblem(answer, 503, 'lock_timeout');
    for (let n = 0; n < WRITERS; n++) expect((await write(`user${n}@example.com`)).status).to.equal(200);
  });

  it('of a table leaves connections to reads beside exports that nobody reads', async () => {
    await app.database.query(
      `insert into users (email, preferences)
       select 'p' || n || '@example.com', jsonb_build_object('x', repeat('x', 10000)) from generate_series(1, 2000) as n`,
    );
    await addAccount(app.database, 'eve@example.com', { role: 'admin' });
    const left = new AbortController();
    // Kept: an answer that is collected as garbage hangs up.
    const exports: Response[] = [];
    for (const as of ['root', 'root', 'eve', 'eve'])
      exports.push(await app.call('/v1/users/export', { as: `${as}@example.com`, signal: left.signal }));
    expect(app.transfers.places.accounts.taken).to.equal(4);
    const unlock = await lock('lock table changes in share mode');
    const writers = Array.from({ length: WRITERS }, () =>
      writeOn(() => create(`new${++writes}@example.com`)),
    );
    let most = 0;
    for (let isRefused = false; !isRefused; ) {
      expect((await app.call('/v1/me', { as: ADA })).status).to.equal(200);
      most = Math.max(most, await waiting());
      isRefused = app.log.some(({ code }) => code === 'lock_timeout');
    }
    expect(most).to.be.within(2, app.database.poolMax - 4 - 2);
    await unlock();
    expect(exports.map(({ status, bodyUsed }) => [status, bodyUsed])).to.deep.equal(
      Array(4).fill([200, false]),
    );
    left.abort();
    await Promise.all(writers.map((stop) => stop()));
    expect((await create('eva@example.com')).status).to.equal(201);
  });

  it('of the table of identities leaves connections to those that are known', async () => {
    const signIn = (name: string) => {
      const claims = { iss: 'https://issuer.example.com', sub: name, email: `${name}@example.com` };
      return app.call('/v1/me', { headers: { Authorization: `Bearer ${forge({ claims })}` } });
    };
    expect((await signIn('ada')).status).to.equal(200);
    const unlock = await lock('lock table identities in share mode');
    const first = Array.from({ length: WRITERS }, (_, n) => signIn(`user${n}`));
    await until('sign-ins that wait', async () => (await waiting()) > 5);
    const began = performance.now();
    for (let round = 0; round < 5; round++) expect((await signIn('ada')).status).to.equal(200);
    expect(performance.now() - began).to.be.below(1_000);
    expect(await waiting()).to.be.within(1, app.database.poolMax - 2);
    await unlock();
    for (const { status } of await Promise.all(first)) expect(status).to.equal(200);
  });

  it('of a table that a request reads makes it give up once it has waited', async () => {
    const unlock = await lock('lock table users in access exclusive mode');
    const [read, written] = await Promise.all([app.call('/v1/me', { as: ADA }), write(ADA)]);
    await expectProblem(read, 503, 'lock_timeout');
    await expectProblem(written, 503, 'lock_timeout');
    await unlock();
    expect((await write(ADA)).status).to.equal(200);
  });

  it('of an account makes an import wait as long as a statement may take', async () => {
    const unlock = await lockAccount(ada);
    const imported = app.call('/v1/users/import?mode=upsert', {
      method: 'POST',
      as: 'root@example.com',
      body: `email,name\r\n${ADA},Ada\r\n`,
      headers: { 'Content-Type': 'text/csv' },
    });
    await until('an import that waits', async () => (await waiting()) > 0);
    await pause(2_500);
    await unlock();
    expect((await imported).status).to.equal(200);
  });

  it('of an account makes work in the background give up before its statement ends', async () => {
    const unlock = await lockAccount(ada);
    const work = unitsOfWork(app.orm)(
      async (unit) => {
        await unit.begin();
        await unit.em.execute('select from users for update');
      },
      { isInBackground: true },
    );
    expect(isLockTimeout(await work.catch((error: unknown) => error))).to.equal(true);
    await unlock();
  });
});
