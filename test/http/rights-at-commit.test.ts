import { once } from 'node:events';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { signHs256 } from '../../src/security/hmac.ts';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { SECRET, startApp, type TestApp } from '../support/app.ts';
import { type SignedInBrowser, signInToConsole } from '../support/console.ts';
import { closed, dial } from '../support/raw-http.ts';
import { until } from '../support/until.ts';

const JSON_TYPE = 'application/json';
const NDJSON = 'application/x-ndjson';
const IN_A_DAY = new Date(Date.now() + 86_400_000).toISOString();

/** A request whose body lacks its last byte. */
interface OpenRequest {
  /** Sends the last byte, and returns the status and the body of the answer. */
  finish(): Promise<{ status: number; head: string; body: Record<string, unknown> }>;
}

describe('rights that are lost while the body arrives', () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await startApp({ requestTimeoutMs: 20_000 });
    await addAccount(app.database, 'ada@example.com', { role: 'admin' });
    await addAccount(app.database, 'grace@example.com', { role: 'admin' });
    await addAccount(app.database, 'alan@example.com');
  });

  afterEach(() => app.close());

  /** Sends all of a request but the last byte of its body, and waits until the service has identified the caller. */
  async function open(
    method: string,
    path: string,
    type: string,
    body: string,
    token?: string,
    session?: SignedInBrowser,
  ): Promise<OpenRequest> {
    const authorization = token ?? (await signHs256(SECRET, 'ada@example.com', '1h'));
    const credentials =
      session === undefined
        ? `Authorization: Bearer ${authorization}`
        : `Sec-Fetch-Site: same-origin\r\nCookie: ${session.cookie.replace(/^[^=]+/, '__Host-rollcall')}`;
    const socket = await dial(app.url);
    socket.write(
      `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${credentials}\r\n` +
        `Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nExpect: 100-continue\r\n\r\n`,
    );
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(first.toString()).to.match(/^HTTP\/1\.1 100 /);
    socket.write(body.slice(0, -1));
    await identified(app);
    return { finish: () => finish(socket, body.slice(-1)) };
  }

  const patch = (path: string, body: object, as = 'grace@example.com') =>
    app.call(path, {
      as,
      method: 'PATCH',
      headers: { 'Content-Type': JSON_TYPE },
      body: JSON.stringify(body),
    });
  const demote = async () => expect((await patch('/v1/users/1', { role: 'user' })).status).to.equal(200);
  const suspend = async () =>
    expect((await patch('/v1/users/1', { status: 'suspended' })).status).to.equal(200);
  const remove = async () =>
    expect((await app.call('/v1/users/1', { as: 'grace@example.com', method: 'DELETE' })).status).to.equal(
      204,
    );

  const LOSSES = {
    demoted: { lose: demote, code: 'forbidden' },
    suspended: { lose: suspend, code: 'account_suspended' },
    deleted: { lose: remove, code: 'account_required' },
  };
  const newToken = JSON.stringify({ name: 'billing', scopes: ['users:write'], expiresAt: IN_A_DAY });
  const WRITES: readonly [what: string, ...request: [string, string, string, string]][] = [
    ['create a service token', 'POST', '/v1/service-tokens', JSON_TYPE, newToken],
    ['create an account', 'POST', '/v1/users', JSON_TYPE, '{"email":"new@example.com"}'],
    ['change an account', 'PATCH', '/v1/users/3', JSON_TYPE, '{"role":"admin"}'],
    ['ask for a dry run', 'PATCH', '/v1/users/3?dryRun=true', JSON_TYPE, '{"role":"admin"}'],
    ['read an account by changing nothing', 'PATCH', '/v1/users/3', JSON_TYPE, '{ }'],
    ['change accounts in bulk', 'POST', '/v1/users/bulk', JSON_TYPE, '{"ids":[3],"role":"admin"}'],
    ['change their own account in bulk', 'POST', '/v1/users/bulk', JSON_TYPE, '{"ids":[1,3],"delete":true}'],
    ['suspend themselves in bulk', 'POST', '/v1/users/bulk', JSON_TYPE, '{"ids":[1,3],"status":"suspended"}'],
    ['import accounts', 'POST', '/v1/users/import', NDJSON, '{"email":"new@example.com"}\n'],
  ];

  for (const [how, { lose, code }] of Object.entries(LOSSES)) {
    for (const [what, ...request] of WRITES) {
      it(`an admin who is ${how} meanwhile cannot ${what}`, async () => {
        const pending = await open(...request);
        await lose();
        const before = await accountsIn(app.database);
        const { status, body } = await pending.finish();
        expect([status, body['code']]).to.deep.equal([403, code]);
        expect(await accountsIn(app.database)).to.deep.equal(before);
        expect(await app.database.query('select * from service_tokens')).to.deep.equal([]);
      });
    }

    it(`an admin who is ${how} meanwhile cannot import their own rights`, async () => {
      const line = '{"email":"ada@example.com","role":"admin","status":"active"}\n';
      const pending = await open('POST', '/v1/users/import?mode=upsert', NDJSON, line);
      await lose();
      const before = await accountsIn(app.database);
      const { status, body } = await pending.finish();
      expect([status, body['code']]).to.deep.equal([403, code]);
      expect(await accountsIn(app.database)).to.deep.equal(before);
    });
  }

  for (const [what, ...request] of [
    ...WRITES,
    ['change itself', 'PATCH', '/v1/me', JSON_TYPE, '{"name":"Ada"}'],
    ['replace its preferences', 'PUT', '/v1/me/preferences', JSON_TYPE, '{"a":1}'],
    [
      'import itself',
      'POST',
      '/v1/users/import?mode=upsert',
      NDJSON,
      '{"email":"ada@example.com","name":"A"}\n',
    ],
  ] as typeof WRITES) {
    it(`a browser that is signed out meanwhile cannot ${what}`, async () => {
      const session = await signInToConsole(app, 'ada@example.com');
      const pending = await open(...request, undefined, session);
      const ended = await app.call(`/v1/sessions/${session.session.id}`, {
        as: 'grace@example.com',
        method: 'DELETE',
      });
      expect(ended.status).to.equal(204);
      const before = await accountsIn(app.database);
      const { status, body } = await pending.finish();
      expect([status, body['code']]).to.deep.equal([401, 'unauthenticated']);
      expect(await accountsIn(app.database)).to.deep.equal(before);
      expect(await app.database.query('select * from service_tokens')).to.deep.equal([]);
    });
  }

  it('a browser may do what ends its own session', async () => {
    const as = 'grace@example.com';
    const send = (session: SignedInBrowser, method: string, path: string, body?: string, type = JSON_TYPE) =>
      session.call(path, { method, ...(body && { body, headers: { 'Content-Type': type } }) });
    const own = await signInToConsole(app, as);
    expect((await send(own, 'DELETE', `/v1/me/sessions/${own.session.id}`)).status).to.equal(204);
    const demoted = await signInToConsole(app, as);
    expect((await send(demoted, 'PATCH', '/v1/users/2', '{"role":"user"}')).status).to.equal(200);
    expect((await send(demoted, 'PATCH', '/v1/me', '{"name":"Grace"}')).status).to.equal(200);
    expect((await send(demoted, 'DELETE', '/v1/me')).status).to.equal(204);
    expect((await send(demoted, 'PATCH', '/v1/me', '{"name":"Grace"}')).status).to.equal(401);
    await addAccount(app.database, 'second@example.com', { role: 'admin' });
    for (const [email, suspend] of [
      ['second@example.com', ['PATCH', '/v1/users/{id}', '{"status":"suspended"}']],
      [
        'ada@example.com',
        [
          'POST',
          '/v1/users/import?mode=upsert',
          '{"email":"ada@example.com","status":"suspended"}\n',
          NDJSON,
        ],
      ],
    ] as const) {
      await addAccount(app.database, `spare-${email}`, { role: 'admin' });
      const session = await signInToConsole(app, email);
      const [method, path, body, type] = suspend;
      const answer = await send(session, method, path.replace('{id}', `${session.account.id}`), body, type);
      expect(answer.status, await answer.clone().text()).to.equal(200);
      expect((await session.call('/v1/me')).status).to.equal(401);
    }
  });

  it('an account that is suspended meanwhile cannot change itself', async () => {
    const pending = await open('PATCH', '/v1/me', JSON_TYPE, '{"name":"Ada"}');
    await suspend();
    const { status, body } = await pending.finish();
    expect([status, body['code']]).to.deep.equal([403, 'account_suspended']);
    expect((await accountsIn(app.database))[0]).to.include({ name: null, status: 'suspended', version: 2 });
  });

  it('a service token that is revoked or expires meanwhile writes nothing', async () => {
    for (const loss of ['revoked_at', 'expires_at']) {
      const minted = await app.call('/v1/service-tokens', {
        as: 'grace@example.com',
        method: 'POST',
        headers: { 'Content-Type': JSON_TYPE },
        body: JSON.stringify({ name: loss, scopes: ['users:write'], expiresAt: IN_A_DAY }),
      });
      const { token } = (await minted.json()) as { token: string };
      const pending = await open('POST', '/v1/users/import', NDJSON, '{"email":"new@example.com"}\n', token);
      await app.database.query(`update service_tokens set ${loss} = now() where name = '${loss}'`);
      const { status, head, body } = await pending.finish();
      expect([status, body['code']]).to.deep.equal([401, 'unauthenticated']);
      expect(head).to.match(/^www-authenticate: Bearer error="invalid_token"\r$/im);
      expect(await accountsIn(app.database)).to.have.length(3);
    }
  });

  it('a right that is being taken away when the write arrives is waited for', async () => {
    const rival = await app.database.connect();
    try {
      await rival.query(`begin; update users set role = 'user', version = version + 1 where id = 1`);
      const answer = patch('/v1/users/3', { name: 'Alan' }, 'ada@example.com');
      await until('the wait for a lock', async () => {
        const waiting = await app.database.query(
          `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );
        return waiting.length > 0;
      });
      await rival.query('commit');
      expect((await answer).status).to.equal(403);
      expect((await accountsIn(app.database))[2]?.name).to.equal(null);
    } finally {
      await rival.end();
    }
  });

  it('admins may lay down their own rights', async () => {
    for (const [id, body] of [
      [1, { role: 'user' }],
      [2, {}],
    ] as const) {
      const as = id === 1 ? 'ada@example.com' : 'grace@example.com';
      expect((await patch(`/v1/users/${id}`, body, as)).status).to.equal(200);
    }
    expect((await accountsIn(app.database)).map(({ role }) => role)).to.deep.equal(['user', 'admin', 'user']);
  });

  it('an admin may demote themselves by an import', async () => {
    const answer = await app.call('/v1/users/import?mode=upsert', {
      as: 'ada@example.com',
      method: 'POST',
      headers: { 'Content-Type': NDJSON },
      body: '{"email":"ada@example.com","role":"user"}\n',
    });
    expect(answer.status).to.equal(200);
    expect((await accountsIn(app.database))[0]?.role).to.equal('user');
  });
});

describe('a body that does not arrive in time', () => {
  it('is answered 408, whatever trickles in, and the connection closes', async () => {
    const app = await startApp({ requestTimeoutMs: 300 });
    try {
      await addAccount(app.database, 'ada@example.com');
      const socket = await dial(app.url);
      const token = await signHs256(SECRET, 'ada@example.com', '1h');
      socket.write(
        `PATCH /v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
          `Content-Type: ${JSON_TYPE}\r\nContent-Length: 1000\r\n\r\n`,
      );
      const trickle = setInterval(() => socket.write(' '), 50);
      const answer = await finish(socket, '').finally(() => clearInterval(trickle));
      expect([answer.status, answer.body['code']]).to.deep.equal([408, 'malformed_request']);
    } finally {
      await app.close();
    }
  });
});

async function identified(app: TestApp): Promise<void> {
  // The answer to a later request on another connection: the look-up of the first has begun before it.
  await app.call('/v1/me', { as: 'grace@example.com' });
}

async function finish(
  socket: Socket,
  last: string,
): Promise<{ status: number; head: string; body: Record<string, unknown> }> {
  let answer = '';
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString('utf8');
  });
  if (last !== '') socket.write(last);
  await closed(socket);
  const [head = '', body = ''] = answer.split(/\r\n\r\n(.*)/s);
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), head, body: JSON.parse(body) };
}
