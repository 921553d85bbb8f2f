import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { listedIssuer, sources, startApp, type TestApp } from '../support/app.ts';
import { AUDIENCE, type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import { expectProblem } from '../support/problem.ts';
import { forge } from '../support/tokens.ts';

const ADMIN = 'admin@example.com';
const EVE = 'eve@example.com';

type Claims = Record<string, unknown>;

describe('the email of a sign-in', () => {
  let provider: IdentityProvider;
  let apps: TestApp[] = [];

  before(async () => {
    provider = await startIdentityProvider();
  });

  after(() => provider.close());

  afterEach(async () => {
    await Promise.all(apps.map((app) => app.close()));
    apps = [];
  });

  const start = async (auth: Parameters<typeof sources>[0], options: Parameters<typeof startApp>[0] = {}) => {
    const app = await startApp({ sources: sources(auth), ...options });
    apps.push(app);
    await addAccount(app.database, ADMIN, { role: 'admin' });
    return app;
  };
  const send = async (app: TestApp, token: string) =>
    app.call('/v1/users', { headers: { Authorization: `Bearer ${token}` } });
  const statusOf = async (app: TestApp, claims: Claims) =>
    (await send(app, await provider.token({ claims }))).status;
  const ofProvider = () => ({ issuer: provider.issuer, audience: [AUDIENCE] });

  it('is not vouched for by the email_verified of another claim', async () => {
    const app = await start({ ...ofProvider(), emailClaims: ['preferred_username'] });
    const stolen: Claims[] = [
      { preferred_username: ADMIN, email: EVE, email_verified: true },
      { preferred_username: ADMIN, email_verified: true },
      { preferred_username: ADMIN },
      { preferred_username: ADMIN, preferred_username_verified: false },
      { preferred_username: ADMIN, email: ADMIN, email_verified: false },
      { preferred_username: ADMIN, email: 'ªdmin@example.com', email_verified: true },
      { preferred_username: ADMIN, xms_edov: true },
    ];
    for (const claims of stolen) {
      for (const token of [
        await provider.token({ claims }),
        forge({ claims: { email: undefined, ...claims } }),
      ]) {
        await expectProblem(await send(app, token), 403, 'email_unverified');
      }
    }
    const [, , nothing] = app.log.flatMap(({ msg, cause }) => (msg === 'sign-in refused' ? [cause] : []));
    expect(nothing).to.include('name it in AUTH_TRUSTED_EMAIL_CLAIMS');
    expect(app.log.filter(({ msg }) => `${msg}`.includes('AUTH_TRUSTED_EMAIL_CLAIMS'))).to.have.lengthOf(1);
  });

  it('is vouched for by its own word, by the same email, or by a setting', async () => {
    const app = await start({ ...ofProvider(), emailClaims: ['preferred_username'] });
    expect(await statusOf(app, { preferred_username: ADMIN, preferred_username_verified: true })).to.equal(
      200,
    );
    expect(await statusOf(app, { preferred_username: ADMIN, email: 'Admin@Example.com' })).to.equal(200);
    const same = { preferred_username: ADMIN, email: ADMIN, email_verified: true };
    expect(await statusOf(app, same)).to.equal(200);

    const trusting = await start({
      ...ofProvider(),
      emailClaims: ['preferred_username'],
      trustedEmailClaims: ['preferred_username'],
    });
    expect(await statusOf(trusting, { preferred_username: ADMIN, email: EVE })).to.equal(200);
    expect(
      await statusOf(trusting, { preferred_username: ADMIN, preferred_username_verified: false }),
    ).to.equal(403);
  });

  it('is trusted for one issuer and not for another', async () => {
    const other = await startIdentityProvider();
    const claim = { emailClaims: ['upn'], audience: [AUDIENCE] };
    const app = await start({
      trustedEmailClaims: ['upn'],
      issuers: [
        listedIssuer({ ...claim, issuer: provider.issuer, trustedEmailClaims: ['upn'] }),
        listedIssuer({ ...claim, issuer: other.issuer }),
      ],
    });
    expect(await statusOf(app, { upn: ADMIN })).to.equal(200);
    await expectProblem(
      await send(app, await other.token({ claims: { upn: ADMIN } })),
      403,
      'email_unverified',
    );
    await other.close();
  });

  it('is unverified if Microsoft Entra ID has not verified the owner of its domain', async () => {
    const app = await start(ofProvider());
    for (const xms_edov of [true, 'true', 1, '1']) {
      expect(await statusOf(app, { email: ADMIN, xms_edov })).to.equal(200);
    }
    for (const xms_edov of [false, 0, '0', null]) {
      expect(await statusOf(app, { email: ADMIN, xms_edov })).to.equal(403);
    }
    expect(await statusOf(app, { email: ADMIN, xms_edov: false, email_verified: true })).to.equal(200);
  });

  it('is limited to the domains of its issuer', async () => {
    const other = await startIdentityProvider();
    const app = await start({
      ...ofProvider(),
      issuerDomains: ['partner.example', '*.xn--mller-kva.example'],
      issuers: [listedIssuer({ issuer: other.issuer, audience: [AUDIENCE], domains: ['example.com'] })],
    });
    const boss = 'boss@mail.müller.example';
    await addAccount(app.database, boss, { role: 'admin' });
    expect(await statusOf(app, { email: boss })).to.equal(200);
    expect(await statusOf(app, { email: 'boss@mail.xn--mller-kva.example' })).to.equal(200);
    await expectProblem(
      await send(app, await provider.token({ claims: { email: ADMIN, email_verified: true } })),
      403,
      'email_unverified',
    );
    expect((await send(app, await other.token({ claims: { email: ADMIN } }))).status).to.equal(200);
    expect((await send(app, await other.token({ claims: { email: boss } }))).status).to.equal(403);
    expect(app.log.map(({ msg }) => msg).join()).not.to.include('can sign in every email');
    await other.close();
  });

  it('is said to come from any of several issuers, if they are not limited', async () => {
    const app = await start({
      ...ofProvider(),
      issuers: [listedIssuer({ issuer: 'https://id.example.com', audience: ['x'] })],
    });
    const [warning, ...others] = app.log.filter(({ msg }) => `${msg}`.includes('can sign in every email'));
    expect(warning).to.deep.include({ level: 40, issuers: [provider.issuer, 'https://id.example.com'] });
    expect(others).to.deep.equal([]);
  });

  it('is in the first of several claims that the token has', async () => {
    const app = await start({
      ...ofProvider(),
      emailClaims: ['email', 'emails', 'upn'],
      trustedEmailClaims: ['emails', 'upn'],
    });
    // Before the subject of all these tokens is bound to the admin's account.
    expect(await statusOf(app, { email: EVE, upn: ADMIN })).to.equal(403);
    // An unverified one does not give way to the next.
    expect(await statusOf(app, { email: EVE, email_verified: false, upn: ADMIN })).to.equal(403);
    expect(await statusOf(app, { upn: ADMIN })).to.equal(200);
    expect(await statusOf(app, { emails: [ADMIN, EVE] })).to.equal(200);
    expect(await statusOf(app, { email: null, emails: [], upn: ADMIN })).to.equal(200);
    expect(await statusOf(app, { email: '', upn: ADMIN })).to.equal(200);
    expect(await statusOf(app, { email: 7, upn: ADMIN })).to.equal(401);
    expect(await statusOf(app, {})).to.equal(401);
  });

  it('is refused with its cause in the answer in development, and only there', async () => {
    for (const environment of ['development', 'test', 'production'] as const) {
      const app = await start({ ...ofProvider(), emailClaims: ['upn'] }, { environment });
      const isTold = environment === 'development';
      const unverified = await send(app, await provider.token({ claims: { upn: ADMIN } }));
      const refused = await send(app, forge({ secret: 'x' }));
      expect([unverified.status, refused.status]).to.deep.equal([403, 401]);
      const bodies = [await unverified.json(), await refused.json()] as { code: string; cause?: string }[];
      expect(bodies.map(({ code }) => code)).to.deep.equal(['email_unverified', 'unauthenticated']);
      const causes = bodies.map(({ cause }) => cause);
      if (isTold) {
        expect(causes[0]).to.include('nothing vouches for the "upn" claim');
        expect(causes[1]).to.equal('signature verification failed');
      } else expect(causes, environment).to.deep.equal([undefined, undefined]);
      const none = await expectProblem(await app.call('/v1/users'), 401, 'unauthenticated');
      expect(none).not.to.have.property('cause');
    }
  });
});
