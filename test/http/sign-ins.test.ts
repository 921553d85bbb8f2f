import { expect } from 'chai';
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { addAccount } from '../support/accounts.ts';
import { listedIssuer, SECRET, sources, startApp, type TestApp } from '../support/app.ts';
import { cookieHeader, sessionOf, signIn } from '../support/authjs.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { AUDIENCE, type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import { serveKeys } from '../support/key-server.ts';
import { expectProblem } from '../support/problem.ts';
import { startServer } from '../support/server-process.ts';
import { forge } from '../support/tokens.ts';

const OTHER = 'another secret for the tests, long enough too';

/** The kinds of credentials in the access log. */
const credentials = (app: TestApp) =>
  app.log.filter(({ msg }) => msg === 'request').map(({ credential }) => credential);

describe('sign-in with Auth.js', () => {
  let app: TestApp;

  before(async () => {
    app = await startApp({ sources: sources({}, [OTHER, SECRET]) });
    await addAccount(app.database, 'ada@example.com');
  });

  after(() => app.close());

  beforeEach(() => {
    app.log.length = 0;
  });

  const me = (headers: Record<string, string>) => app.call('/v1/me', { headers });
  const expectAda = async (response: Response) =>
    expect(await response.json()).to.include({ email: 'ada@example.com' });

  for (const [what, options, names] of [
    ['on http', {}, ['authjs.session-token']],
    ['on https', { origin: 'https://app.example.com' }, ['__Secure-authjs.session-token']],
    [
      'of a session that is too long for one cookie',
      { origin: 'https://app.example.com', claims: { padding: 'x'.repeat(4000) } },
      ['__Secure-authjs.session-token.0', '__Secure-authjs.session-token.1'],
    ],
    ['with rotated secrets', { secret: [OTHER, SECRET] }, ['authjs.session-token']],
  ] as const) {
    it(`accepts browser cookies ${what}`, async () => {
      const cookies = await signIn({
        ...options,
        ...('secret' in options && { secret: [...options.secret] }),
      });
      expect([...cookies.keys()]).to.include.members([...names]);
      await expectAda(await me({ Cookie: cookieHeader(cookies) }));
      expect(credentials(app)).to.deep.equal(['cookie']);
    });
  }

  it('accepts the session in the cookie as a bearer token, too', async () => {
    await expectAda(await me({ Authorization: `Bearer ${await sessionOf()}` }));
    expect(credentials(app)).to.deep.equal(['bearer']);
  });

  it('refuses a session with a missing cookie', async () => {
    const cookies = await signIn({ claims: { padding: 'x'.repeat(4000) } });
    cookies.delete('authjs.session-token.1');
    const response = await me({ Cookie: cookieHeader(cookies) });
    expect(response.headers.get('www-authenticate')).to.equal('Bearer error="invalid_token"');
    await expectProblem(response, 401, 'unauthenticated');
  });

  it('ignores cookies beside an Authorization header, whatever the header contains', async () => {
    const Cookie = cookieHeader(await signIn());
    const missing = ['', 'Bearer', 'Basic YTpi', await sessionOf(), `Token ${forge()}`];
    for (const Authorization of missing) {
      const response = await me({ Cookie, Authorization });
      expect(response.headers.get('www-authenticate')).to.equal('Bearer');
      await expectProblem(response, 401, 'unauthenticated');
    }
    await expectProblem(await me({ Cookie, Authorization: 'Bearer nonsense' }), 401, 'unauthenticated');
    const grace = forge({ claims: { email: 'grace@example.com' } });
    await expectProblem(await me({ Cookie, Authorization: `Bearer ${grace}` }), 403, 'account_required');
    await expectAda(
      await me({ Cookie: 'authjs.session-token=nonsense', Authorization: `Bearer ${forge()}` }),
    );
  });

  it('reveals no more about a refused cookie than about any other token', async () => {
    const bodies = new Set<string>();
    for (const value of ['nonsense', await sessionOf({ secret: 'x' }), await sessionOf({ maxAge: -60 })]) {
      const response = await me({ Cookie: `authjs.session-token=${value}` });
      expect(response.headers.get('www-authenticate')).to.equal('Bearer error="invalid_token"');
      const { detail } = await expectProblem(response, 401, 'unauthenticated');
      bodies.add(`${detail}`);
      expect(JSON.stringify(app.log)).not.to.include(value);
    }
    expect(bodies).to.have.property('size', 1);
    expect(credentials(app)).to.deep.equal([null, null, null]);
  });

  it('refuses a repeated cookie like any invalid one, and counts it as a failure', async () => {
    const own = await startApp({ rateLimit: { failures: 2 } });
    const session = await sessionOf();
    const Cookie = `authjs.session-token=${session}; authjs.session-token=${session}`;
    const statuses = [];
    for (let time = 0; time < 3; time++) {
      const response = await own.call('/v1/me', { headers: { Cookie } });
      statuses.push([response.status, response.headers.get('www-authenticate')]);
    }
    const refused = [401, 'Bearer error="invalid_token"'];
    expect(statuses).to.deep.equal([refused, refused, [429, null]]);
    expect(own.log.find(({ msg }) => msg === 'token refused')).to.include({
      cause: 'the session cookie appears twice',
    });
    await own.close();
  });

  it('accepts the configured cookie name only', async () => {
    const own = await startApp({ sources: sources({ cookieName: 'app.session' }) });
    await addAccount(own.database, 'ada@example.com');
    const cookies = await signIn({ cookieName: 'app.session' });
    await expectAda(await own.call('/v1/me', { headers: { Cookie: cookieHeader(cookies) } }));
    const usual = cookieHeader(await signIn());
    await expectProblem(await own.call('/v1/me', { headers: { Cookie: usual } }), 401, 'unauthenticated');
    await own.close();
  });

  it('answers 403 email_unverified to a session with an unverified email', async () => {
    const response = await me({ Cookie: cookieHeader(await signIn({ claims: { email_verified: false } })) });
    expect(response.headers.has('www-authenticate')).to.equal(false);
    await expectProblem(response, 403, 'email_unverified');
  });
});

describe('sign-in with an OpenID Connect provider', () => {
  let provider: IdentityProvider;
  let database: TestDatabase;
  let app: TestApp;
  /** How far the clock is ahead of the real one, in milliseconds. */
  let ahead: number;

  beforeEach(async () => {
    ahead = 0;
    provider = await startIdentityProvider();
    database = await createMigratedDatabase();
    app = await startApp({
      database,
      now: () => new Date(Date.now() + ahead),
      sources: sources({ issuer: provider.issuer, audience: ['x', AUDIENCE] }),
    });
    await addAccount(database, 'ada@example.com');
  });

  afterEach(async () => {
    await app.close();
    await provider.close();
  });

  const me = (token: string) => app.call('/v1/me', { headers: { Authorization: `Bearer ${token}` } });
  const statusOf = async (token: string) => (await me(token)).status;

  it('accepts tokens with every signature algorithm, and fetches the keys once', async () => {
    expect(provider.asked).to.deep.equal([]);
    for (const alg of ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'] as const) {
      expect(await statusOf(await provider.token({ alg })), alg).to.equal(200);
    }
    expect(provider.asked).to.deep.equal(['/.well-known/openid-configuration', '/jwks']);
    expect(await statusOf(forge())).to.equal(200);
  });

  it('refuses tokens for another audience, of another issuer, and of an issuer when none is configured', async () => {
    const other = await startIdentityProvider();
    const apps = await Promise.all(
      [
        { issuer: provider.issuer, audience: ['another audience'] },
        { issuer: provider.issuer, audience: [`${AUDIENCE}/`] },
        { issuer: `${provider.issuer}/`, audience: [AUDIENCE] },
        { issuer: provider.issuer, jwksUrl: other.jwksUrl, audience: [AUDIENCE] },
        { issuer: other.issuer, jwksUrl: provider.jwksUrl, audience: [AUDIENCE] },
        { issuer: other.issuer, audience: [AUDIENCE] },
        {},
      ].map((auth) => startApp({ sources: sources(auth) })),
    );
    const headers = { Authorization: `Bearer ${await provider.token()}` };
    for (const one of apps) {
      await expectProblem(await one.call('/v1/me', { headers }), 401, 'unauthenticated');
      await one.close();
    }
    await other.close();
  });

  it('accepts tokens of an issuer configured only by the URL of its keys', async () => {
    const own = await startApp({ sources: sources({ jwksUrl: provider.jwksUrl, audience: [AUDIENCE] }) });
    await addAccount(own.database, 'ada@example.com');
    const headers = { Authorization: `Bearer ${await provider.token()}` };
    expect((await own.call('/v1/me', { headers })).status).to.equal(200);
    expect(provider.asked).to.deep.equal(['/jwks']);
    await own.close();
  });

  it('accepts tokens of several issuers, each under its own settings', async () => {
    const other = await startIdentityProvider();
    const claim = 'https://example.com/email';
    const own = await startApp({
      sources: sources({
        issuer: provider.issuer,
        audience: [AUDIENCE],
        issuers: [listedIssuer({ issuer: other.issuer, audience: [AUDIENCE], emailClaims: [claim] })],
      }),
    });
    await addAccount(own.database, 'ada@example.com');
    const statusOf = async (token: Promise<string>) =>
      (await own.call('/v1/me', { headers: { Authorization: `Bearer ${await token}` } })).status;
    const namespaced = { claims: { [claim]: 'ada@example.com' } };
    expect(await statusOf(provider.token())).to.equal(200);
    expect(await statusOf(provider.token(namespaced))).to.equal(401);
    expect(await statusOf(other.token(namespaced))).to.equal(200);
    expect(await statusOf(other.token())).to.equal(401);
    await own.close();
    await other.close();
  });

  it('requires a verified email', async () => {
    const email = 'ada@example.com';
    expect(await statusOf(await provider.token({ claims: { email, email_verified: true } }))).to.equal(200);
    expect(await statusOf(await provider.token({ claims: {} }))).to.equal(401);
    const unverified = await provider.token({ claims: { email, email_verified: false } });
    await expectProblem(await me(unverified), 403, 'email_unverified');
  });

  it('follows a key rotation, and refuses the tokens of former keys', async () => {
    const before = await provider.token();
    expect(await statusOf(before)).to.equal(200);
    await provider.rotate();
    expect(await statusOf(before)).to.equal(200);
    ahead += 10_000;
    expect(await statusOf(await provider.token())).to.equal(200);
    expect(await statusOf(before)).to.equal(401);
    expect(provider.asked).to.have.lengthOf(4);
  });

  it('answers 503 for an unknown key until the keys may be fetched again', async () => {
    expect(await statusOf(await provider.token())).to.equal(200);
    await provider.rotate();
    const renewed = await provider.token();
    ahead += 5_000;
    for (let time = 0; time < 3; time++) {
      const response = await me(renewed);
      expect(Number(response.headers.get('retry-after'))).to.be.within(1, 5);
      await expectProblem(response, 503, 'identity_provider_unavailable');
    }
    expect(provider.asked).to.have.lengthOf(2);
    ahead += 5_000;
    expect(await statusOf(renewed)).to.equal(200);
  });

  it('counts unknown keys as failures of their address, and fetches the keys once in ten seconds for all of them', async () => {
    const own = await startApp({
      now: () => new Date(Date.now() + ahead),
      sources: sources({ issuer: provider.issuer, audience: [AUDIENCE] }),
      rateLimit: { failures: 3 },
      trustProxy: 1,
    });
    await addAccount(own.database, 'ada@example.com');
    const from = async (address: string, token: string) =>
      own.call('/v1/me', { headers: { Authorization: `Bearer ${token}`, 'X-Forwarded-For': address } });
    const madeUp = (kid: string) =>
      forge({ header: { alg: 'RS256', kid }, claims: { iss: provider.issuer, aud: AUDIENCE } });
    const honest = await provider.token();
    expect((await from('203.0.113.5', honest)).status).to.equal(200);
    expect(provider.asked).to.have.lengthOf(2);
    const statuses: number[] = [];
    for (let count = 0; count < 30; count++) {
      // Each within the cool-down of ten seconds or right after it.
      ahead += 4_000;
      statuses.push((await from(`203.0.113.${100 + Math.floor(count / 5)}`, madeUp(`k${count}`))).status);
    }
    // From each address three, whether they caused a fetch (401) or not (503), and then no more.
    for (let start = 0; start < 30; start += 5) {
      for (const status of statuses.slice(start, start + 3)) expect(status).to.be.oneOf([401, 503]);
      expect(statuses.slice(start + 3, start + 5)).to.deep.equal([429, 429]);
    }
    expect(provider.asked.length - 2).to.be.within(2, 2 * Math.ceil((30 * 4) / 10));
    expect((await from('203.0.113.5', honest)).status).to.equal(200);
    await own.close();
  });

  it('counts no failure while the provider is down and has never been reached', async () => {
    const own = await startApp({
      sources: sources({ issuer: provider.issuer, audience: [AUDIENCE] }),
      rateLimit: { failures: 1 },
    });
    const token = await provider.token();
    await provider.goDown();
    for (let count = 0; count < 3; count++) {
      const response = await own.call('/v1/me', { headers: { Authorization: `Bearer ${token}` } });
      await expectProblem(response, 503, 'identity_provider_unavailable');
    }
    await provider.comeBack();
    await own.close();
  });

  it('forgets a withdrawn key even if no other token arrives', async () => {
    const before = await provider.token();
    expect(await statusOf(before)).to.equal(200);
    await provider.rotate();
    ahead += 10 * 60_000;
    expect(await statusOf(before)).to.equal(401);
  });

  it('keeps using known keys while the provider is down, and answers 503 for an unknown one', async () => {
    const known = await provider.token();
    const fresh = await provider.token();
    const unknown = await provider.token({ alg: 'ES256' });
    expect(await statusOf(known)).to.equal(200);
    await provider.goDown();
    ahead += 20 * 60_000;
    expect(await statusOf(known)).to.equal(200);
    // Not from the cache of verified tokens: this one is new.
    expect(await statusOf(fresh)).to.equal(200);
    expect(await statusOf(unknown)).to.equal(200);
    expect(await statusOf(forge())).to.equal(200);

    await provider.comeBack();
    await provider.rotate();
    const renewed = await provider.token();
    await provider.goDown();
    ahead += 10_000;
    const response = await me(renewed);
    expect(response.headers.get('retry-after')).to.equal('10');
    expect(response.headers.has('www-authenticate')).to.equal(false);
    const problem = await expectProblem(response, 503, 'identity_provider_unavailable');
    expect(problem['detail']).to.equal('The identity provider is unavailable: try again shortly.');
    const [failure] = app.log.filter(
      ({ msg }) => msg === 'keys of the identity provider unavailable; check its address and the network',
    );
    expect(failure).to.include({ level: 40, issuer: provider.issuer });
    expect(failure?.['reason']).to.include('ECONNREFUSED');

    await provider.comeBack();
    ahead += 10_000;
    expect(await statusOf(renewed)).to.equal(200);
    expect(await statusOf(known)).to.equal(401);
  });

  it('starts while the provider is down, and works as soon as it is up', async () => {
    const token = await provider.token();
    await provider.goDown();
    await expectProblem(await me(token), 503, 'identity_provider_unavailable');
    expect(await statusOf(forge())).to.equal(200);
    expect(await statusOf('nonsense')).to.equal(401);
    await provider.comeBack();
    ahead += 10_000;
    expect(await statusOf(token)).to.equal(200);
  });

  it('fetches no keys for tokens that claim another issuer', async () => {
    const token = await provider.token();
    const [header, , signature] = token.split('.');
    for (const iss of [undefined, `${provider.issuer}/`, 'https://evil.example.com', 42, [provider.issuer]]) {
      const payload = Buffer.from(JSON.stringify({ ...decodeJwt(token), iss })).toString('base64url');
      expect(await statusOf(`${header}.${payload}.${signature}`)).to.equal(401);
    }
    expect(provider.asked).to.deep.equal([]);
  });
});

describe('sign-in with Supabase', () => {
  const ref = 'abcdefghijklmnopqrst';
  const claims = {
    iss: `https://${ref}.supabase.co/auth/v1`,
    aud: 'authenticated',
    role: 'authenticated',
    sub: '8d2f5a52-0c4b-4a0f-9f53-6f5b8d1c2e3a',
    email: 'ada@example.com',
    phone: '',
    app_metadata: { provider: 'email', providers: ['email'] },
    user_metadata: { email_verified: false },
    session_id: '0b0e0d8c-3a9f-4a8c-9f0a-3c8f6f7d1e2b',
    is_anonymous: false,
  };

  it('accepts tokens signed with its secret, but not its API keys, which are signed with it, too', async () => {
    const app = await startApp();
    await addAccount(app.database, 'ada@example.com');
    const statusOf = async (given: Record<string, unknown>) => {
      const header = { typ: 'JWT', kid: 'AbCdEfGh' };
      const headers = { Authorization: `Bearer ${forge({ header, claims: given })}` };
      return (await app.call('/v1/me', { headers })).status;
    };
    expect(await statusOf(claims)).to.equal(200);
    expect(await statusOf({ ...claims, email: '', is_anonymous: true })).to.equal(401);
    expect(await statusOf({ iss: 'supabase', ref, role: 'service_role', email: undefined })).to.equal(401);
    await app.close();
  });

  it('accepts tokens signed with its own key', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const key = {
      ...(await exportJWK(publicKey)),
      alg: 'ES256',
      kid: '2f1c',
      use: 'sig',
      key_ops: ['verify'],
    };
    const supabase = await serveKeys({ keys: [key] });
    const app = await startApp({
      sources: sources({ issuer: claims.iss, jwksUrl: supabase.url, audience: ['authenticated'] }),
    });
    await addAccount(app.database, 'ada@example.com');
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', kid: '2f1c', typ: 'JWT' })
      .setExpirationTime('1h')
      .sign(privateKey);
    const response = await app.call('/v1/me', { headers: { Authorization: `Bearer ${token}` } });
    expect(response.status).to.equal(200);
    await app.close();
    await supabase.close();
  });
});

describe('a server with several sign-in providers', () => {
  it('accepts the tokens of each from settings alone, and fetches no keys before it needs them', async () => {
    const provider = await startIdentityProvider();
    const database = await createMigratedDatabase();
    const server = startServer({
      DATABASE_URL: database.url,
      INITIAL_ADMINS: 'ada@example.com',
      AUTH_SECRET_1: OTHER,
      AUTH_ISSUER: provider.issuer,
      AUTH_AUDIENCE: AUDIENCE,
    });
    const url = `${await server.ready()}/v1/me`;
    expect(provider.asked).to.deep.equal([]);
    const tokens = [
      forge(),
      forge({ secret: OTHER }),
      await sessionOf({ secret: OTHER }),
      await provider.token(),
    ];
    for (const token of tokens) {
      const response = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
      expect(response.status).to.equal(200);
    }
    const Cookie = cookieHeader(await signIn());
    expect((await fetch(url, { headers: { Cookie } })).status).to.equal(200);
    await provider.close();
    expect(await server.end('SIGTERM')).to.equal(0);
    const log = JSON.stringify([server.lines, server.output]);
    for (const token of [...tokens, Cookie]) expect(log).not.to.include(token.slice(-20));
    await database.drop();
  });
});
