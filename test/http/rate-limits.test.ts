import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { mintServiceToken } from '../../src/security/service-token.ts';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { sessionOf } from '../support/authjs.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { testEndpoint } from '../support/endpoints.ts';
import { expectProblem } from '../support/problem.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';
import { forge } from '../support/tokens.ts';

const ADA = 'ada@example.com';
const GRACE = 'grace@example.com';
const ATTACKER = '203.0.113.66';
const HONEST = '203.0.113.5';

type Options = Parameters<typeof startApp>[0];

/** Asserts that a response is a 429 with all its headers. */
async function expectLimited(response: Response, policy: string): Promise<void> {
  const wait = response.headers.get('retry-after') ?? '';
  expect(Number(wait)).to.be.within(1, 60);
  expect(response.headers.get('ratelimit-policy')).to.equal(policy);
  expect(response.headers.get('ratelimit')).to.equal(`${policy.split(';')[0]};r=0;t=${wait}`);
  expect(response.headers.has('www-authenticate')).to.equal(false);
  expect(response.headers.get('cache-control')).to.equal('no-store');
  await expectProblem(response, 429, 'rate_limited');
}

describe('the rate limit of failed authentications', () => {
  const POLICY = '"failures";q=3;w=60';
  let app: TestApp;

  const start = async (options: Options = {}) => {
    app = await startApp({ rateLimit: { failures: 3 }, trustProxy: 1, ...options });
    await addAccount(app.database, ADA);
  };

  afterEach(() => app.close());

  /** A request to `/v1/me` from this address, through the proxy. */
  const from = (address: string, authorization?: string, headers: Record<string, string> = {}) =>
    app.call('/v1/me', {
      headers: {
        'X-Forwarded-For': address,
        ...(authorization && { Authorization: authorization }),
        ...headers,
      },
    });
  const good = (address: string) => from(address, `Bearer ${forge()}`);
  const bad = (address: string) => from(address, `Bearer ${forge({ secret: 'guessed' })}`);
  const statuses = async (responses: Promise<Response>[]) =>
    (await Promise.all(responses)).map(({ status }) => status).sort();
  const useUp = async (address: string) => {
    for (let count = 0; count < 3; count++) {
      const response = await bad(address);
      expect(response.headers.has('ratelimit')).to.equal(false);
      await expectProblem(response, 401, 'unauthenticated');
    }
  };
  const refusals = () => app.log.filter(({ msg }) => msg === 'token refused').length;

  it('refuses all credentials from the address that are wrong, and no good ones', async () => {
    await start();
    await useUp(ATTACKER);
    for (let round = 0; round < 3; round++) {
      await expectLimited(await bad(ATTACKER), POLICY);
      await expectLimited(await from(ATTACKER, undefined, { Cookie: 'authjs.session-token=x' }), POLICY);
      await expectLimited(await from(ATTACKER, 'Bearer rc_nonsense'), POLICY);
      const fresh = forge({ claims: { jti: randomUUID() } });
      expect((await from(ATTACKER, `Bearer ${fresh}`)).status).to.equal(200);
    }
  });

  it('lets somebody in who shares the address with an attack', async () => {
    await start();
    await useUp(ATTACKER);
    let isOver = false;
    const attack = async () => {
      while (!isOver) expect((await bad(ATTACKER)).status).to.equal(429);
    };
    const attackers = Array.from({ length: 20 }, attack);
    try {
      for (let count = 0; count < 10; count++) {
        const fresh = forge({ claims: { jti: randomUUID() } });
        expect((await from(ATTACKER, `Bearer ${fresh}`)).status).to.equal(200);
      }
    } finally {
      isOver = true;
      await Promise.all(attackers);
    }
  });

  it('keeps no place for a request that has been identified and goes on', async () => {
    const held: (() => void)[] = [];
    await start({
      extra: [
        testEndpoint({
          method: 'GET',
          path: '/hold',
          access: 'account',
          handle: () => new Promise<void>((resolve) => held.push(resolve)),
          view: () => ({}),
        }),
      ],
    });
    await useUp(ATTACKER);
    const holding = Array.from({ length: 8 }, () =>
      app.call('/hold', {
        headers: {
          'X-Forwarded-For': ATTACKER,
          Authorization: `Bearer ${forge({ claims: { jti: randomUUID() } })}`,
        },
      }),
    );
    while (held.length < 8) await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await good(ATTACKER)).status).to.equal(200);
    for (const release of held) release();
    await Promise.all(holding);
  });

  it('admits valid requests from other addresses during an attack', async () => {
    await start();
    await useUp(ATTACKER);
    for (let round = 0; round < 5; round++) {
      const attack = Array.from({ length: 10 }, () => bad(ATTACKER));
      expect((await good(HONEST)).status).to.equal(200);
      expect(await statuses(attack)).to.deep.equal(Array(10).fill(429));
    }
    expect((await bad(HONEST)).status).to.equal(401);
  });

  it('does not affect requests without credentials or public endpoints', async () => {
    await start();
    await useUp(ATTACKER);
    expect((await from(ATTACKER)).status).to.equal(401);
    for (const path of ['/healthz', '/readyz', '/openapi.json']) {
      const headers = { 'X-Forwarded-For': ATTACKER, Authorization: 'Bearer nonsense' };
      const response = await app.call(path, { headers });
      expect(response.status).to.equal(200);
      expect(response.headers.has('ratelimit')).to.equal(false);
    }
  });

  it('counts only refused credentials', async () => {
    await start();
    for (let count = 0; count < 5; count++) {
      expect((await good(HONEST)).status).to.equal(200);
      expect((await from(HONEST)).status).to.equal(401);
      expect((await from(HONEST, undefined, { Cookie: 'theme=dark' })).status).to.equal(401);
      expect((await from(HONEST, 'Basic YTpi')).status).to.equal(401);
      const nobody = forge({ claims: { email: 'nobody@example.com' } });
      expect((await from(HONEST, `Bearer ${nobody}`)).status).to.equal(403);
    }
    await useUp(HONEST);
  });

  it('is not reset by a valid request in between', async () => {
    await start();
    for (let count = 0; count < 3; count++) {
      expect((await bad(HONEST)).status).to.equal(401);
      const fresh = forge({ claims: { jti: randomUUID() } });
      expect((await from(HONEST, `Bearer ${fresh}`)).status).to.equal(200);
    }
    expect((await bad(HONEST)).status).to.equal(429);
  });

  it('admits tokens accepted before, because others may share the address', async () => {
    await start({ rateLimit: { failures: 30 } });
    const known = forge({ claims: { n: 1 } });
    const cookie = { Cookie: `authjs.session-token=${await sessionOf()}` };
    const minted = mintServiceToken();
    await app.database.query(
      `insert into service_tokens (name, digest, scopes, created_by, expires_at)
       values ('billing', $1, '{users:read}', 'test', now() + interval '1 day')`,
      [minted.digest],
    );
    const list = () =>
      app.call('/v1/users', {
        headers: { 'X-Forwarded-For': ATTACKER, Authorization: `Bearer ${minted.token}` },
      });
    expect((await from(ATTACKER, `Bearer ${known}`)).status).to.equal(200);
    expect((await from(ATTACKER, undefined, cookie)).status).to.equal(200);
    expect((await list()).status).to.equal(200);
    for (let count = 0; count < 30; count++) expect((await bad(ATTACKER)).status).to.equal(401);
    expect((await from(ATTACKER, `Bearer ${known}`)).status).to.equal(200);
    expect((await from(ATTACKER, undefined, cookie)).status).to.equal(200);
    expect((await bad(ATTACKER)).status).to.equal(429);

    expect((await list()).status).to.equal(200);
    await app.database.query('update service_tokens set revoked_at = now()');
    const seen = refusals();
    expect([(await list()).status, refusals() - seen]).to.deep.equal([429, 1]);
    expect([(await list()).status, refusals() - seen]).to.deep.equal([429, 2]);
  });

  it('admits no more than its quota when requests arrive at once', async () => {
    await start();
    const attack = Array.from({ length: 50 }, () => bad(ATTACKER));
    expect(await statuses(attack)).to.deep.equal([...Array(3).fill(401), ...Array(47).fill(429)]);
  });

  it('counts IPv6 addresses by their /64', async () => {
    await start();
    for (const address of ['2001:db8:1:2::1', '2001:DB8:1:2:ffff::1', '[2001:db8:1:2::3]:4711']) {
      expect((await bad(address)).status).to.equal(401);
    }
    await expectLimited(await bad('2001:db8:1:2:abcd:ef01:2345:6789'), POLICY);
    expect((await bad('2001:db8:1:3::1')).status).to.equal(401);
  });

  const forgeries: [what: string, options: Options, forge: (count: number) => string][] = [
    ['ahead of the entry of the proxy', { trustProxy: 1 }, (count) => `10.0.0.${count}, ${ATTACKER}`],
    ['for a server that trusts no proxy', { trustProxy: 0 }, (count) => `10.0.0.${count}`],
    [
      'by a client that is not a trusted proxy',
      { trustProxy: ['192.0.2.0/24'] },
      (count) => `10.0.0.${count}`,
    ],
    [
      'with the address of a trusted proxy',
      { trustProxy: ['127.0.0.1', '192.0.2.0/24'] },
      (count) => `192.0.2.${count}, ${ATTACKER}, 192.0.2.1`,
    ],
  ];
  for (const [what, options, forged] of forgeries) {
    it(`cannot be evaded with an X-Forwarded-For forged ${what}`, async () => {
      await start(options);
      for (let count = 0; count < 3; count++) expect((await bad(forged(count))).status).to.equal(401);
      expect((await bad(forged(3))).status).to.equal(429);
      expect((await bad(forged(4))).status).to.equal(429);
    });
  }

  it('logs the network once', async () => {
    await start();
    await useUp(ATTACKER);
    await bad(ATTACKER);
    const lines = app.log.filter(
      ({ msg }) =>
        msg === 'too many failed authentications; if the network is that of your proxy, set TRUST_PROXY',
    );
    expect(lines).to.have.length(1);
    expect(lines[0]).to.include({ level: 40, network: ATTACKER, viaProxy: true });
  });

  it('ends with its window', async () => {
    await start({ rateLimit: { failures: 1, windowSeconds: 1 } });
    expect((await bad(ATTACKER)).status).to.equal(401);
    let status = 429;
    while (status === 429) ({ status } = await bad(ATTACKER));
    expect(status).to.equal(401);
  });

  it('is off with 0', async () => {
    await start({ rateLimit: { failures: 0 } });
    for (let count = 0; count < 50; count++) expect((await bad(ATTACKER)).status).to.equal(401);
  });

  it('costs no database query', async () => {
    const database = await createMigratedDatabase();
    const wire = await startProxy(database.url);
    await start({ database, through: wire.url });
    await good(HONEST);
    wire.reset();
    await useUp(ATTACKER);
    await bad(ATTACKER);
    expect(wire.statements()).to.equal(0);
    await wire.close();
  });
});

describe("the rate limit of an account's requests", () => {
  const POLICY = '"requests";q=5;w=60';
  let app: TestApp;
  let attempts: number;

  beforeEach(async () => {
    attempts = 0;
    const racing = testEndpoint({
      method: 'POST',
      path: '/v1/race',
      access: 'account',
      handle: () => {
        // serialization_failure
        if (++attempts < 4) throw Object.assign(new Error('lost'), { code: '40001' });
        return attempts;
      },
      view: (attempts) => ({ attempts }),
    });
    app = await startApp({ rateLimit: { requests: 5 }, extra: [racing] });
    await addAccount(app.database, ADA);
    await addAccount(app.database, GRACE);
  });

  afterEach(() => app.close());

  const me = (email: string, claims = {}) =>
    app.call('/v1/me', { headers: { Authorization: `Bearer ${forge({ claims: { email, ...claims } })}` } });
  const remaining = ({ headers }: Response) => /;r=(\d+);/.exec(headers.get('ratelimit') ?? '')?.[1];

  it('reports the remaining requests, and refuses those beyond its quota', async () => {
    for (const left of [4, 3, 2, 1, 0]) {
      const response = await me(ADA);
      expect(response.status).to.equal(200);
      expect(response.headers.get('ratelimit-policy')).to.equal(POLICY);
      expect(response.headers.get('ratelimit')).to.match(/^"requests";r=\d;t=(60|[1-5]?\d)$/);
      expect(remaining(response)).to.equal(`${left}`);
      expect(response.headers.has('retry-after')).to.equal(false);
    }
    await expectLimited(await me(ADA), POLICY);
    await expectLimited(await me(ADA), POLICY);
  });

  it('is shared by all tokens of an account, and separate for each account', async () => {
    for (let count = 0; count < 5; count++) await me(count % 2 ? ADA : 'ADA@Example.com', { jti: count });
    await expectLimited(await me(ADA, { jti: 'another' }), POLICY);
    expect(remaining(await me(GRACE))).to.equal('4');
  });

  it('counts refused requests, too, and reports it in their answers', async () => {
    const json = { 'Content-Type': 'application/json' };
    const refused = [
      await app.call('/v1/users', { as: ADA }),
      await app.call('/v1/me', { as: ADA, method: 'PATCH', headers: json, body: '[]' }),
      await app.call('/v1/me?colour=red', { as: ADA }),
    ];
    expect(refused.map(({ status }) => status)).to.deep.equal([403, 422, 400]);
    expect(refused.map(remaining)).to.deep.equal(['4', '3', '2']);
    const etag = (await me(ADA)).headers.get('etag') ?? '';
    const known = await app.call('/v1/me', {
      as: ADA,
      headers: { 'If-None-Match': etag, 'Cache-Control': 'max-age=0' },
    });
    expect([known.status, remaining(known)]).to.deep.equal([304, '0']);
  });

  it('counts a replayed unit of work once', async () => {
    const response = await app.call('/v1/race', { as: ADA, method: 'POST' });
    expect(await response.json()).to.deep.equal({ attempts: 4 });
    expect(remaining(response)).to.equal('4');
  });

  it('admits its whole quota when requests arrive at once', async () => {
    const responses = await Promise.all(Array.from({ length: 40 }, () => me(ADA)));
    const statuses = responses.map(({ status }) => status).sort();
    expect(statuses).to.deep.equal([...Array(5).fill(200), ...Array(35).fill(429)]);
  });

  it('applies to refused sign-ins, too, by email and not by address', async () => {
    const unverified = {
      Authorization: `Bearer ${forge({ claims: { email: ADA, email_verified: false } })}`,
    };
    for (const refusedSignIn of [
      () => me('nobody@example.com'),
      () => me('1'),
      () => app.call('/v1/me', { headers: unverified }),
    ]) {
      const responses = [];
      for (let count = 0; count < 6; count++) responses.push(await refusedSignIn());
      expect(responses.map(({ status }) => status)).to.deep.equal([...Array(5).fill(403), 429]);
      expect(responses.slice(0, 5).map(remaining)).to.deep.equal(['4', '3', '2', '1', '0']);
      await expectLimited(responses[5] as Response, POLICY);
    }
    expect((await me(' Nobody@Example.COM ')).status).to.equal(429);
    expect((await me('somebody@example.com')).status).to.equal(403);
    expect(remaining(await me(ADA))).to.equal('4');
  });

  it('does not affect requests without credentials or public endpoints', async () => {
    for (let count = 0; count < 10; count++) {
      for (const response of [
        await app.call('/v1/me'),
        await app.call('/healthz', { as: ADA }),
        await app.call('/docs', { as: ADA }),
      ]) {
        expect(response.headers.has('ratelimit')).to.equal(false);
        expect(response.status).not.to.equal(429);
      }
    }
    expect(remaining(await me(ADA))).to.equal('4');
  });
});

describe('rate limits counted in the database', () => {
  const LIMIT = { failures: 3, requests: 5, store: 'database' } as const;
  let database: TestDatabase;
  let wire: DatabaseProxy;
  let apps: TestApp[];

  /** Two servers on one database. */
  beforeEach(async () => {
    database = await createMigratedDatabase();
    wire = await startProxy(database.url);
    const options = { database, through: wire.url, rateLimit: LIMIT, trustProxy: 1 };
    apps = [await startApp(options), await startApp(options)];
    await addAccount(database, ADA);
    await addAccount(database, GRACE);
  });

  afterEach(async () => {
    const [one, two] = apps;
    // The apps share a database, and closing one of them drops it.
    await two?.drain(1_000);
    await two?.orm.close(true);
    await one?.close();
    await wire.close();
  });

  const call = (index: number, address: string, token: string) =>
    (apps[index] as TestApp).call('/v1/me', {
      headers: { 'X-Forwarded-For': address, Authorization: `Bearer ${token}` },
    });
  const good = (index: number, address = HONEST, email = ADA) =>
    call(index, address, forge({ claims: { email } }));
  /** Calls with a valid token that no server has seen before. */
  const fresh = (index: number) => call(index, ATTACKER, forge({ claims: { jti: randomUUID() } }));
  const bad = (index: number, address = ATTACKER) => call(index, address, forge({ secret: 'guessed' }));
  const logged = (index: number, message: string) =>
    (apps[index] as TestApp).log.filter(({ msg }) => msg === message).length;

  it('are shared by all processes', async () => {
    for (const index of [0, 1, 0]) expect((await bad(index)).status).to.equal(401);
    // The first server has seen the limit reached; the other learns of it now.
    await expectLimited(await bad(0), '"failures";q=3;w=60');
    await expectLimited(await bad(1), '"failures";q=3;w=60');
    await expectLimited(await bad(1), '"failures";q=3;w=60');
    expect((await bad(1, HONEST)).status).to.equal(401);

    for (const index of [0, 1, 1, 0, 1]) expect((await good(index)).status).to.equal(200);
    for (const index of [0, 1]) await expectLimited(await good(index), '"requests";q=5;w=60');
    expect((await good(1, HONEST, GRACE)).headers.get('ratelimit')).to.match(/^"requests";r=4;t=\d+$/);
  });

  it('admit exactly their quota when requests arrive at two servers at once', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => good(index % 2)));
    expect(answers.filter(({ status }) => status === 200)).to.have.length(5);
    const attacks = await Promise.all(Array.from({ length: 40 }, (_, index) => bad(index % 2)));
    expect(attacks.filter(({ status }) => status === 401)).to.have.length(3);
  });

  it('cost one statement per request, and none once an address is refused', async () => {
    await good(0);
    wire.reset();
    await good(0);
    // One looks up the account, the other counts the request.
    expect(wire.statements()).to.equal(2);
    wire.reset();
    for (let count = 0; count < 3; count++) await bad(0);
    expect(wire.statements()).to.equal(3);
    for (let count = 0; count < 4; count++) await bad(0);
    expect(wire.statements()).to.equal(3);
    wire.reset();
    expect((await fresh(0)).status).to.equal(200);
    expect(wire.statements()).to.equal(2);
  });

  it('start over when their window ends', async () => {
    for (let count = 0; count < 6; count++) await good(0);
    expect((await good(0)).status).to.equal(429);
    await database.query('update rate_limits set expire = expire - 60000');
    expect((await good(0)).headers.get('ratelimit')).to.match(/^"requests";r=4;t=\d+$/);
  });

  it('are counted by each process in memory during a database outage', async () => {
    expect((await good(0)).status).to.equal(200);
    await wire.cut();
    await expectProblem(await good(0), 503, 'database_unavailable');
    for (let count = 0; count < 3; count++) expect((await bad(0)).status).to.equal(401);
    await expectLimited(await bad(0), '"failures";q=3;w=60');
    expect((await bad(1)).status).to.equal(401);
    expect(
      logged(
        0,
        'rate limits cannot be counted in the database; counting in memory; if this lasts, check the database',
      ),
    ).to.equal(1);

    await wire.mend();
    expect((await good(0)).headers.get('ratelimit')).to.match(/;r=3;/);
    expect(logged(0, 'rate limits counted in the database again')).to.equal(1);
    expect(logged(0, 'unanswered, by a fault of this program; report it with this line')).to.equal(0);
  });

  it('fail no request when only the counting fails', async () => {
    await database.query('alter table rate_limits rename to gone');
    for (const left of [4, 3, 2, 1, 0]) {
      const response = await good(0);
      expect(response.status).to.equal(200);
      expect(response.headers.get('ratelimit')).to.include(`;r=${left};`);
    }
    await expectLimited(await good(0), '"requests";q=5;w=60');
    expect(
      logged(
        0,
        'rate limits cannot be counted in the database; counting in memory; if this lasts, check the database',
      ),
    ).to.equal(1);
  });
});
