import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { sources, startApp, type TestApp } from '../support/app.ts';
import { browserWith, cookieOf, OWN_PAGE, signInToConsole } from '../support/console.ts';
import { startForwardProxy } from '../support/forward-proxy.ts';
import { startIdentityProvider } from '../support/identity-provider.ts';
import { expectProblem } from '../support/problem.ts';
import { CONSOLE_CLIENT, type PeopleProvider, startPeopleProvider } from '../support/sign-in-provider.ts';
import { until } from '../support/until.ts';

const ADA = 'ada@example.com';
const SESSION = 'rollcall-console=';
const SIGN_IN = 'rollcall-console-sign-in=';

describe('signing in to the console at an OpenID Connect provider', () => {
  let provider: PeopleProvider;
  let app: TestApp;

  const start = async (options: Parameters<typeof startPeopleProvider>[0] = {}, client = CONSOLE_CLIENT) => {
    provider = await startPeopleProvider(options);
    app = await startApp({
      sources: sources({ issuer: provider.issuer, audience: ['https://api.example.com'] }),
      consoleClient: client,
    });
    provider.register(`${app.url}/v1/session/oidc/callback`);
    await addAccount(app.database, ADA, { role: 'admin' });
  };
  afterEach(async () => {
    await app.close();
    await provider.close();
  });

  const open = (url: string, headers: Record<string, string> = {}) =>
    app.call(url, { redirect: 'manual', headers });
  /** Begins as our own page does. */
  const begin = async (query = '', headers: Record<string, string> = {}) => {
    const response = await open(`/v1/session/oidc${query}`, { ...OWN_PAGE, ...headers });
    return { response, to: response.headers.get('location') ?? '', cookie: cookieOf(response, SIGN_IN) };
  };
  /** Comes back from the provider, as a browser does: from another site, and so without a session. */
  const comeBack = (url: string, cookie: string) =>
    open(url, { 'Sec-Fetch-Site': 'cross-site', Cookie: cookie });
  const signIn = async (query = '') => {
    const { to, cookie } = await begin(query);
    return comeBack(await provider.walk(to), cookie);
  };
  const refusal = (response: Response) => {
    expect(response.status).to.equal(303);
    expect(cookieOf(response, SESSION)).to.equal('');
    expect(cookieOf(response, SIGN_IN)).to.equal(SIGN_IN);
    return response.headers.get('location');
  };

  it('opens a session, by the claims that only the provider’s own answer has', async () => {
    await start();
    const { doors } = (await (await app.call('/v1/session')).json()) as { doors: object };
    expect(doors).to.deep.include({ oidc: { issuer: provider.issuer, start: '/v1/session/oidc' } });
    const { to, response: begun } = await begin();
    const url = new URL(to);
    expect(Object.fromEntries(url.searchParams)).to.deep.include({
      response_type: 'code',
      client_id: 'console',
      redirect_uri: `${app.url}/v1/session/oidc/callback`,
      code_challenge_method: 'S256',
    });
    for (const name of ['state', 'nonce', 'code_challenge'])
      expect(url.searchParams.get(name)).to.match(/^[\w-]{43}$/);
    expect(begun.headers.getSetCookie()[0]).to.match(
      /^rollcall-console-sign-in=[\w.-]+; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax$/,
    );

    const response = await signIn('?returnTo=/console/accounts?q=ada%23x');
    expect(response.status).to.equal(303);
    expect(response.headers.get('location')).to.equal('/console/accounts?q=ada#x');
    expect(response.headers.getSetCookie()).to.have.length(2);
    expect(response.headers.getSetCookie()[0]).to.match(
      /^rollcall-console=[\w-]{43}; Path=\/; Max-Age=28800; HttpOnly; SameSite=Strict$/,
    );
    expect(cookieOf(response, SIGN_IN)).to.equal(SIGN_IN);
    const call = browserWith(app, cookieOf(response, SESSION));
    const state = (await (await call('/v1/session')).json()) as Record<string, unknown>;
    expect(state).to.have.nested.property('account.email', ADA);
    expect(state).to.have.nested.property('session.door', 'oidc');
    const identities = await app.database.query('select issuer, subject, email from identities');
    expect(identities).to.deep.equal([{ issuer: provider.issuer, subject: 'ada', email: ADA }]);
    const line = app.log.find(({ route }) => route === '/v1/session/oidc/callback');
    expect(line).to.include({ userId: 1, status: 303, path: '/v1/session/oidc/callback' });
    const said = JSON.stringify(app.log);
    for (const secret of [CONSOLE_CLIENT.clientSecret, cookieOf(response, SESSION).slice(20), `${url}`])
      expect(said).not.to.contain(secret);
  });

  it('works with a client that shows its secret in the body, and with one that has none', async () => {
    await start({ client: { token_endpoint_auth_method: 'client_secret_post' }, tellsInToken: true });
    expect(cookieOf(await signIn(), SESSION)).not.to.equal('');
    await app.close();
    await provider.close();
    await start(
      { client: { token_endpoint_auth_method: 'none' } },
      { ...CONSOLE_CLIENT, clientSecret: null as never },
    );
    expect(cookieOf(await signIn(), SESSION)).not.to.equal('');
  });

  it('ends the session that the browser had, although its cookie does not come back', async () => {
    await start();
    const before = await signInToConsole(app, ADA);
    const { to, cookie } = await begin('', { Cookie: before.cookie });
    const response = await comeBack(await provider.walk(to), cookie);
    expect(cookieOf(response, SESSION)).not.to.equal('').and.not.to.equal(before.cookie);
    await expectProblem(await before.call('/v1/me'), 401, 'unauthenticated');
  });

  it('ends with the identity that is cut', async () => {
    await start();
    const session = cookieOf(await signIn(), SESSION);
    const call = browserWith(app, session);
    const { items } = (await (await call('/v1/users/1/identities')).json()) as { items: { id: number }[] };
    const cut = (query = '') => call(`/v1/users/1/identities/${items[0]?.id}${query}`, { method: 'DELETE' });
    expect((await cut('?dryRun=true')).status).to.equal(200);
    expect((await call('/v1/me')).status).to.equal(200);
    expect((await cut()).status).to.equal(204);
    await expectProblem(await call('/v1/me'), 401, 'unauthenticated');
    expect(cookieOf(await signIn(), SESSION)).not.to.equal('');
  });

  it('opens no session that outlives a cut of the identity at the same moment', async () => {
    await start();
    await addAccount(app.database, 'root@example.com', { role: 'admin' });
    const root = await signInToConsole(app, 'root@example.com');
    await signIn();
    // Known by its subject alone from here on: once it is cut, its email leads nowhere.
    await app.database.query(`update users set email = 'countess@example.com' where id = 1`);
    const holder = await app.database.connect();
    const waiting = (count: number) =>
      until(`${count} waiting`, async () => {
        const rows = await app.database.query(
          `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );
        return rows.length >= count;
      });
    const cut = () => root.call('/v1/users/1/identities/1', { method: 'DELETE' });
    try {
      await holder.query('begin; select from users where id = 1 for no key update');
      const entering = signIn();
      await waiting(1);
      const cutting = cut();
      await waiting(2);
      await holder.query('commit');
      const call = browserWith(app, cookieOf(await entering, SESSION));
      expect((await cutting).status).to.equal(204);
      await expectProblem(await call('/v1/me'), 401, 'unauthenticated');

      await app.database.query('update identities set cut_at = null');
      await holder.query('begin; select from users where id = 1 for no key update');
      const late = signIn();
      await waiting(1);
      await holder.query('update identities set cut_at = now(); commit');
      expect(refusal(await late)).to.equal('/console/#error=account_required');
    } finally {
      await holder.query('rollback');
    }
  });

  it('admits whom a token of the issuer would admit, and no one else', async () => {
    await start();
    const refused = async (person: PeopleProvider['person']) => {
      provider.person = person;
      return refusal(await signIn());
    };
    expect(await refused({ sub: 'eve', email: 'eve@example.com' })).to.equal(
      '/console/#error=account_required',
    );
    expect(await refused({ sub: 'eve', email: ADA, email_verified: false })).to.equal(
      '/console/#error=email_unverified',
    );
    expect(await refused({ sub: 'nobody' })).to.equal('/console/#error=unauthenticated');
    provider.person = { sub: 'ada', email: ADA, email_verified: true };
    expect(cookieOf(await signIn(), SESSION)).not.to.equal('');
    expect(await refused({ sub: 'other', email: ADA, email_verified: true })).to.equal(
      '/console/#error=identity_mismatch',
    );
    await app.database.query(`update users set status = 'suspended'`);
    expect(await refused({ sub: 'ada', email: ADA, email_verified: true })).to.equal(
      '/console/#error=account_suspended',
    );
    const kept = await app.database.query('select reason from refused_sign_ins order by reason');
    expect(kept.map(({ reason }) => reason)).to.deep.equal([
      'account_required',
      'account_suspended',
      'email_unverified',
      'identity_mismatch',
    ]);
  });

  it('refuses an answer that another browser has asked for, or nobody (login CSRF)', async () => {
    await start();
    const [attacker, victim] = [await begin(), await begin()];
    const answer = await provider.walk(attacker.to);
    const invalid = '/console/#error=unauthenticated';
    expect(refusal(await comeBack(answer, ''))).to.equal(invalid);
    expect(refusal(await comeBack(answer, `${SIGN_IN}nonsense`))).to.equal(invalid);
    expect(refusal(await comeBack(answer, victim.cookie))).to.equal(invalid);
    expect(await app.database.query('select from console_sessions')).to.deep.equal([]);
    // The code was not used up.
    expect(cookieOf(await comeBack(answer, attacker.cookie), SESSION)).not.to.equal('');
    expect(refusal(await comeBack(answer, attacker.cookie))).to.equal(invalid);
    // Another site cannot make a browser begin, either.
    for (const site of ['cross-site', 'same-site']) {
      const { to } = await begin('', { 'Sec-Fetch-Site': site });
      expect(to).to.equal('/console/#error=cross_site');
    }
  });

  it('refuses the answer of another issuer, and one without an issuer (mix-up)', async () => {
    await start();
    const { to, cookie } = await begin();
    const answer = new URL(await provider.walk(to));
    expect(answer.searchParams.get('iss')).to.equal(provider.issuer);
    const other = new URL(answer);
    other.searchParams.set('iss', 'https://evil.example.com');
    const without = new URL(answer);
    without.searchParams.delete('iss');
    const asked = provider.asked.length;
    for (const url of [other, without]) {
      expect(refusal(await comeBack(url.href, cookie))).to.equal('/console/#error=unauthenticated');
    }
    // Nobody was told the code.
    expect(provider.asked).to.have.length(asked);
    expect(cookieOf(await comeBack(answer.href, cookie), SESSION)).not.to.equal('');
  });

  it('goes to the console afterwards, and nowhere else (open redirect)', async () => {
    await start();
    for (const returnTo of [
      'https://evil.example.com/console/',
      '//evil.example.com/console/',
      '/\\evil.example.com/console/',
      '/\t/evil.example.com',
      '/console/..//evil.example.com',
      '/console/../../v1/me',
      '/console//evil.example.com',
      '/consolex',
      '/v1/users',
      'console/',
      'javascript:alert(1)',
      '\n/console/',
      `/console/${'a'.repeat(2_000)}`,
    ]) {
      const response = await signIn(`?returnTo=${encodeURIComponent(returnTo)}`);
      expect(response.headers.get('location'), returnTo).to.equal('/console/');
    }
    // As long as it may be, as a browser writes it.
    const name = '/console/accounts?q=';
    const [ascii, umlauts] = ['a'.repeat(1_000 - name.length), 'ü'.repeat((1_000 - name.length) / 6)];
    for (const q of ['Grüße 😀', '\uD800', ascii, umlauts]) {
      const response = await signIn(`?returnTo=${encodeURIComponent(name + q.toWellFormed())}`);
      expect(response.headers.get('location')).to.equal(name + encodeURIComponent(q.toWellFormed()));
    }
    for (const q of [`${ascii}a`, `${umlauts}ü`, '😀'.repeat(490)]) {
      const response = await signIn(`?returnTo=${encodeURIComponent(name + q)}`);
      expect(response.headers.get('location')).to.equal('/console/');
    }
  });

  it('counts refused answers as failures of their address', async () => {
    await start();
    const limited = await startApp({
      database: app.database,
      sources: sources({ issuer: provider.issuer, audience: ['https://api.example.com'] }),
      consoleClient: CONSOLE_CLIENT,
      rateLimit: { failures: 2 },
    });
    const locations = [];
    for (let n = 0; n < 4; n++) {
      const response = await limited.call('/v1/session/oidc/callback?code=x', { redirect: 'manual' });
      locations.push(response.headers.get('location'));
    }
    const [invalid, over] = ['/console/#error=unauthenticated', '/console/#error=rate_limited'];
    expect(locations).to.deep.equal([invalid, invalid, over, over]);
    await limited.stop();
  });

  it('says that the provider is unavailable, or calls itself by another name', async () => {
    await start();
    await provider.close();
    expect((await begin()).to).to.equal('/console/#error=identity_provider_unavailable');
    expect(app.log.some(({ msg }) => `${msg}`.startsWith('sign-in to the console failed at'))).to.equal(true);
    provider = await startPeopleProvider();
    const named = await startApp({
      database: app.database,
      sources: sources({
        issuer: provider.issuer.replace('127.0.0.1', 'localhost'),
        audience: ['https://api.example.com'],
      }),
      consoleClient: CONSOLE_CLIENT,
    });
    provider.register(`${named.url}/v1/session/oidc/callback`);
    const response = await named.call('/v1/session/oidc', { redirect: 'manual', headers: OWN_PAGE });
    expect(response.headers.get('location')).to.equal('/console/#error=identity_provider_unavailable');
    await named.stop();
  });

  it('is continued by any process, and not after ten minutes', async () => {
    await start();
    const { to, cookie } = await begin();
    const answer = await provider.walk(to);
    const replica = (now: Date) =>
      startApp({
        database: app.database,
        sources: sources({ issuer: provider.issuer, audience: ['https://api.example.com'] }),
        consoleClient: CONSOLE_CLIENT,
        publicUrl: app.url,
        now: () => now,
      });
    const late = await replica(new Date(Date.now() + 601_000));
    const other = await replica(new Date());
    const comeBackTo = async ({ call }: TestApp) =>
      call(answer.replace(app.url, ''), { redirect: 'manual', headers: { Cookie: cookie } });
    expect(refusal(await comeBackTo(late))).to.equal('/console/#error=unauthenticated');
    const response = await comeBackTo(other);
    const session = cookieOf(response, SESSION);
    expect((await browserWith(app, session)('/v1/me')).status).to.equal(200);
    await late.stop();
    await other.stop();
  });
});

describe('a provider that is slow to answer', () => {
  it('is asked by a few sign-ins at once, however many made-up answers come', async () => {
    const asking: ServerResponse[] = [];
    let [inside, most] = [0, 0];
    let isSlow = true;
    const refuse = (response: ServerResponse) => response.writeHead(400).end('{"error":"invalid_grant"}');
    const server = createServer(({ url = '' }, response) => {
      response.setHeader('Content-Type', 'application/json');
      if (url.startsWith('/.well-known/')) {
        const [authorization_endpoint, token_endpoint] = [`${issuer}/authorize`, `${issuer}/token`];
        response.end(JSON.stringify({ issuer, authorization_endpoint, token_endpoint }));
        return;
      }
      most = Math.max(most, ++inside);
      response.once('close', () => inside--);
      if (isSlow) asking.push(response);
      else refuse(response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const app = await startApp({
      sources: sources({ issuer, audience: ['https://api.example.com'] }),
      consoleClient: { clientId: 'console', clientSecret: null },
    });
    try {
      const begun = await app.call('/v1/session/oidc', { redirect: 'manual', headers: OWN_PAGE });
      const state = new URL(begun.headers.get('location') ?? '').searchParams.get('state');
      const answer = `/v1/session/oidc/callback?code=made-up&state=${state}`;
      const headers = { Cookie: cookieOf(begun, SIGN_IN) };
      const answered: (string | null)[] = [];
      const answers = Array.from({ length: 200 }, async () => {
        answered.push((await app.call(answer, { redirect: 'manual', headers })).headers.get('location'));
      });
      await until('those to be refused who cannot even wait', () => answered.length >= 56);
      await until('the others to ask', () => inside === 16);
      isSlow = false;
      for (const response of asking) refuse(response);
      await Promise.all(answers);
      expect(most).to.equal(16);
      expect(answered)
        .to.include('/console/#error=overloaded')
        .and.include('/console/#error=unauthenticated');
    } finally {
      await app.close();
      server.closeAllConnections();
      server.close();
    }
  });
});

describe('signing in to the console through an outgoing proxy', () => {
  it('asks the provider through it alone', async () => {
    const provider = await startPeopleProvider({ host: 'id.invalid' });
    const proxy = await startForwardProxy({ 'id.invalid': provider.port });
    const app = await startApp({
      sources: sources({ issuer: provider.issuer, audience: ['https://api.example.com'] }),
      consoleClient: CONSOLE_CLIENT,
      proxy: { https: null, http: proxy.url, except: [] },
    });
    provider.register(`${app.url}/v1/session/oidc/callback`);
    await addAccount(app.database, ADA);
    const begun = await app.call('/v1/session/oidc', { redirect: 'manual', headers: OWN_PAGE });
    const answer = await provider.walk(begun.headers.get('location') ?? '');
    const response = await app.call(answer, {
      redirect: 'manual',
      headers: { Cookie: cookieOf(begun, SIGN_IN) },
    });
    expect(cookieOf(response, SESSION)).not.to.equal('');
    expect(new Set(proxy.asked)).to.deep.equal(new Set(['id.invalid:80']));
    await app.close();
    await proxy.close();
    await provider.close();
  });
});

describe('without a client at a provider', () => {
  it('the doors of OpenID Connect lead back to the console', async () => {
    const provider = await startIdentityProvider();
    const app = await startApp({ sources: sources({ issuer: provider.issuer, audience: ['api'] }) });
    const { doors } = (await (await app.call('/v1/session')).json()) as { doors: object };
    expect(doors).to.deep.include({ oidc: null });
    for (const path of ['/v1/session/oidc', '/v1/session/oidc/callback?code=x&state=y']) {
      const response = await app.call(path, { redirect: 'manual' });
      expect(response.headers.get('location')).to.equal('/console/#error=not_found');
    }
    await app.close();
    await provider.close();
  });
});
