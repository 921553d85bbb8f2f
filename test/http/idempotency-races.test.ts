import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { type KeyedInit, sender } from '../support/idempotency.ts';
import { insist } from '../support/insistent.ts';
import { expectProblem, refusalOf } from '../support/problem.ts';
import { dial } from '../support/raw-http.ts';
import { forge } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const ADMIN = 'ada@example.com';
const NDJSON = 'application/x-ndjson';

/** A proxy that can lose an answer: it breaks the connection in place of sending on what comes back. */
interface LosingProxy {
  readonly port: number;
  /** Loses what comes back after the next bytes that match, and breaks the connection once it is the answer. */
  lose(sent: RegExp, answer: RegExp): void;
  close(): Promise<void>;
}

async function startLosingProxy(target: number): Promise<LosingProxy> {
  let next: { sent: RegExp; answer: RegExp } | undefined;
  const sockets = new Set<Socket>();
  const server: Server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    let lost: RegExp | undefined;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    client.on('data', (bytes: Buffer) => {
      if (next?.sent.test(bytes.toString('latin1'))) {
        lost = next.answer;
        next = undefined;
      }
      upstream.write(bytes);
    });
    upstream.on('data', (bytes: Buffer) => {
      if (lost === undefined) client.write(bytes);
      else if (lost.test(bytes.toString('latin1'))) client.destroy();
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    lose(sent, answer) {
      next = { sent, answer };
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

describe('requests under one Idempotency-Key', function () {
  this.timeout(120_000);

  let database: TestDatabase;
  let app: TestApp;
  let proxy: LosingProxy | undefined;

  beforeEach(async () => {
    database = await createMigratedDatabase();
    await addAccount(database, ADMIN, { role: 'admin' });
    await addAccount(database, 'grace@example.com');
    app = await startApp({ database });
  });

  afterEach(async () => {
    await app.close();
    await proxy?.close();
    proxy = undefined;
  });

  const send = (method: string, path: string, init?: KeyedInit) =>
    sender(app, ADMIN).send(method, path, init);
  const isReplayed = ({ headers }: Response) => headers.has('idempotent-replayed');
  const changes = () => database.query('select action, user_id, version from changes order by id');
  /** Waits until a statement of the service waits for a lock. */
  const someoneWaits = () =>
    until(
      'a wait for a lock',
      async () =>
        (
          await database.query(
            // A first attempt waits for a moment only.
            `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
                and clock_timestamp() - xact_start > interval '200 milliseconds'`,
          )
        ).length > 0,
    );

  /** The kinds of locks on the table of accounts that somebody waits for. */
  const locksAwaited = async () =>
    (
      await database.query<{ mode: string }>(
        `select mode from pg_locks where relation = 'users'::regclass and not granted`,
      )
    ).map(({ mode }) => mode);

  for (const [what, request] of Object.entries({
    'a creation': () => send('POST', '/v1/users', { key: 'k', body: '{"email":"new@example.com"}' }),
    'a change': () =>
      send('PATCH', '/v1/users/2', { key: 'k', body: '{"name":"G"}', headers: { 'If-Match': '"1"' } }),
    'a deletion': () => send('DELETE', '/v1/users/2', { key: 'k' }),
    'an undo': () => send('POST', '/v1/history/2/undo', { key: 'k' }),
    'an import': () =>
      send('POST', '/v1/users/import', { key: 'k', type: NDJSON, body: '{"email":"new@example.com"}\n' }),
    'a service token': () =>
      send('POST', '/v1/service-tokens', {
        key: 'k',
        body: '{"name":"t","scopes":["users:read"],"expiresAt":null}',
      }),
  })) {
    it(`are carried out once where several come together: ${what}`, async () => {
      const before = (await changes()).length;
      const answers = await Promise.all(Array.from({ length: what === 'an import' ? 2 : 20 }, request));
      const done = answers.filter(({ ok }) => ok);
      expect(done.filter((answer) => !isReplayed(answer))).to.have.length(1);
      for (const busy of answers.filter(({ ok }) => !ok)) {
        expect(busy.headers.get('retry-after')).to.equal('1');
        await expectProblem(busy, 409, 'request_in_progress');
      }
      const again = await request();
      expect([again.ok, isReplayed(again)]).to.deep.equal([true, true]);
      expect(await changes()).to.have.length(before + (what === 'a service token' ? 0 : 1));
      expect(await database.query('select 1 from service_tokens')).to.have.length(
        what === 'a service token' ? 1 : 0,
      );
    });
  }

  it('are refused at once while the first one waits for a lock, also by another process', async () => {
    const other = await startApp({ database });
    const blocker = await database.connect();
    await blocker.query('begin; select 1 from users where id = 2 for update');
    const request = (process: TestApp) =>
      sender(process, ADMIN).send('PATCH', '/v1/users/2', { key: 'k', body: '{"name":"G"}' });
    const first = request(app);
    await someoneWaits();
    for (const process of [app, other]) {
      const second = await request(process);
      expect(second.headers.get('retry-after')).to.equal('1');
      await expectProblem(second, 409, 'request_in_progress');
    }
    // Another key does not.
    expect((await send('PATCH', '/v1/me', { key: 'other', body: '{"name":"A"}' })).status).to.equal(200);
    await blocker.query('rollback');
    expect((await first).status).to.equal(200);
    const again = await request(other);
    expect([again.status, isReplayed(again)]).to.deep.equal([200, true]);
    expect((await accountsIn(database))[1]).to.include({ name: 'G', version: 2 });
    await other.stop();
  });

  it('find the answer that has committed while they waited', async () => {
    const blocker = await database.connect();
    const request = () => send('DELETE', '/v1/users/2', { key: 'k' });
    // The first one waits in its transaction, and the others behind the lock of the table.
    await database.query(`
      create function wait() returns trigger language plpgsql
      as $$ begin perform pg_advisory_xact_lock_shared(1); return old; end $$;
      create trigger wait before delete on users for each row execute function wait()`);
    await blocker.query('select pg_advisory_lock(1)');
    const first = request();
    await someoneWaits();
    await expectProblem(await request(), 409, 'request_in_progress');
    const locker = await database.connect();
    const locked = locker.query('begin; lock table users');
    // Whoever comes before it finds the first one in progress.
    await until('the lock of the table to be awaited', async () =>
      (await locksAwaited()).includes('AccessExclusiveLock'),
    );
    const others = Array.from({ length: 3 }, request);
    await until('a request behind it', async () => (await locksAwaited()).includes('AccessShareLock'));
    await blocker.query('select pg_advisory_unlock(1)');
    await locked;
    await locker.query('rollback');
    expect((await first).status).to.equal(204);
    for (const answer of await Promise.all(others))
      expect([answer.status, isReplayed(answer)]).to.deep.equal([204, true]);
    expect(await accountsIn(database)).to.have.length(1);
  });

  it('get their own answers where others win the race for the account', async () => {
    const keys = Array.from({ length: 30 }, (_, n) => `key${n}`);
    const patch = (key: string) =>
      insist(() =>
        send('PATCH', '/v1/me/preferences', {
          key,
          as: 'grace@example.com',
          body: JSON.stringify({ [key]: 1 }),
        }),
      );
    const bodies = async (answers: Response[]) =>
      Promise.all(
        answers.map(async (answer) => [answer.status, answer.headers.get('etag'), await answer.text()]),
      );
    const first = await bodies(await Promise.all(keys.map(patch)));
    expect(new Set(first.map(([, tag]) => tag)).size).to.equal(30);
    expect(await bodies(await Promise.all(keys.map(patch)))).to.deep.equal(first);
    expect((await accountsIn(database))[1]?.version).to.equal(31);
  });

  it('are not carried out again where the connection breaks between the commit and the answer', async () => {
    proxy = await startLosingProxy(Number(new URL(app.url).port));
    const through = `http://127.0.0.1:${proxy.port}/v1/users`;
    const body = '{"email":"new@example.com"}';
    const headers = {
      Authorization: `Bearer ${forge()}`,
      'Content-Type': 'application/json',
      'Idempotency-Key': '"k"',
    };
    proxy.lose(/^POST/, /^HTTP/);
    expect(await refusalOf(fetch(through, { method: 'POST', headers, body }))).to.be.instanceOf(Error);
    const again = await fetch(through, { method: 'POST', headers, body });
    expect([again.status, isReplayed(again)]).to.deep.equal([201, true]);
    expect(again.headers.get('location')).to.equal('/v1/users/3');
    expect(await accountsIn(database)).to.have.length(3);
  });

  it('are not carried out again where the caller hangs up', async () => {
    const blocker = await database.connect();
    await blocker.query('begin; select 1 from users where id = 2 for update');
    const body = '{"name":"G"}';
    const socket = await dial(app.url);
    socket.write(
      `PATCH /v1/users/2 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${forge()}\r\nIdempotency-Key: "k"\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await someoneWaits();
    socket.resetAndDestroy();
    await blocker.query('rollback');
    const request = () => send('PATCH', '/v1/users/2', { key: 'k', body });
    await until('the request to succeed', async () => (await request()).ok);
    expect(isReplayed(await request())).to.equal(true);
    expect((await accountsIn(database))[1]?.version).to.equal(2);
  });

  it('are known after a 503 for a commit whose outcome was lost, and done anew where it failed', async () => {
    const url = new URL(database.url);
    proxy = await startLosingProxy(Number(url.port));
    url.port = `${proxy.port}`;
    const far = await startApp({ database, through: url.href });
    const create = (key: string, email: string) =>
      sender(far, ADMIN).send('POST', '/v1/users', { key, body: JSON.stringify({ email }) });
    proxy.lose(/\bcommit\b/, /COMMIT/);
    await expectProblem(await create('k', 'new@example.com'), 503, 'database_unavailable');
    const again = await create('k', 'new@example.com');
    expect([again.status, isReplayed(again)]).to.deep.equal([201, true]);
    // The connection breaks before the commit: nothing is left.
    proxy.lose(/insert into "users"/, /INSERT/);
    await expectProblem(await create('l', 'other@example.com'), 503, 'database_unavailable');
    const anew = await create('l', 'other@example.com');
    expect([anew.status, isReplayed(anew)]).to.deep.equal([201, false]);
    expect((await accountsIn(database)).map(({ email }) => email)).to.include.members([
      'new@example.com',
      'other@example.com',
    ]);
    expect(await accountsIn(database)).to.have.length(4);
    await far.stop();
  });

  it('keep the answer in the transaction of the change: neither is there without the other', async () => {
    await database.query(`
      create function lose() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
      create trigger lose before insert on kept_answers execute function lose()`);
    const create = () => send('POST', '/v1/users', { key: 'k', body: '{"email":"new@example.com"}' });
    await expectProblem(await create(), 500, 'internal');
    expect(await accountsIn(database)).to.have.length(2);
    await database.query('drop trigger lose on kept_answers');
    expect((await create()).status).to.equal(201);
  });
});
