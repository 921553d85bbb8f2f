import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { findFreePort } from '../../src/database/embedded/start.ts';
import { openPage } from '../support/browser.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { type Keycloak, passwordTokens, startKeycloak } from '../support/keycloak.ts';
import {
  ADA,
  AdminConsole,
  APP,
  AUDIENCE,
  CONSOLE_CLIENT_ID,
  createClient,
  createRealm,
} from '../support/keycloak-realm.ts';
import { startServer } from '../support/server-process.ts';
import { until } from '../support/until.ts';

const REALM = 'stories';

/** Algorithms for which Keycloak makes keys when a client asks for them, and the one of its first key. */
const ALGORITHMS = ['ES256', 'EdDSA', 'RS256'];

/** Something in Keycloak's admin API. */
type Entity = Record<string, unknown> & { readonly id: string };

/** What the service answers to a token: an account or a problem. */
type Answer = Readonly<Partial<Record<'email' | 'role' | 'code' | 'cause', string>>>;

const ADMITTED = { email: ADA.email, role: 'admin' };

describe('Keycloak', function () {
  // It is fetched and unpacked the first time.
  this.timeout(420_000);

  let keycloak: Keycloak;
  let issuer: string;
  let database: TestDatabase;
  let address: string;
  let adminConsole: AdminConsole;
  const cleanups: (() => unknown)[] = [];

  before(async () => {
    keycloak = await startKeycloak();
    issuer = await createRealm(keycloak, REALM);
    database = await createMigratedDatabase();
    cleanups.push(() => database.drop());
    const { page, close } = await openPage();
    cleanups.push(close);
    adminConsole = await AdminConsole.open(page, keycloak, REALM);
    const port = await findFreePort();
    address = `http://localhost:${port}`;
    const secret = await adminConsole.createConsoleClient(`${address}/v1/session/oidc/callback`);
    const settings = {
      // Which tells the cause of a refusal.
      ENVIRONMENT: 'development',
      RATE_LIMIT_FAILURES: '0',
      LOG_FORMAT: 'json',
      PORT: `${port}`,
      DATABASE_URL: database.url,
      AUTH_SECRET: '',
      AUTH_ISSUER: issuer,
      AUTH_AUDIENCE: AUDIENCE,
      INITIAL_ADMINS: ADA.email,
      CONSOLE_OIDC_CLIENT_ID: CONSOLE_CLIENT_ID,
      CONSOLE_OIDC_CLIENT_SECRET: secret,
    };
    // The bundle of the tests has no console.
    const server = startServer(settings, 'src/server.ts');
    cleanups.push(() => server.end('SIGTERM'));
    await server.ready();
  });
  after(async () => {
    for (const clean of cleanups.reverse()) await clean();
  });

  const tokens = (client = APP) => passwordTokens(issuer, { client, ...ADA });
  const answerTo = async (token: string): Promise<Answer> => {
    const response = await fetch(`${address}/v1/me`, { headers: { Authorization: `Bearer ${token}` } });
    const { email = '', role = '', code = '', cause = '' } = (await response.json()) as Answer;
    return response.ok ? { email, role } : { code, cause };
  };
  const answer = async (client = APP) => answerTo((await tokens(client)).access_token);
  const expectRefusal = ({ code, cause }: Answer, expected: RegExp) => {
    expect(code).to.equal('unauthenticated');
    expect(cause).to.match(expected);
  };
  const update = async (kind: 'clients' | 'users', query: string, change: object) => {
    const [found] = (await keycloak.admin('GET', `/${REALM}/${kind}?${query}`)) as Entity[];
    await keycloak.admin('PUT', `/${REALM}/${kind}/${found?.id}`, { ...found, ...change });
  };
  const setAttributes = (attributes: object) => update('clients', `clientId=${APP}`, { attributes });

  describe('step by step, as the guide says', () => {
    it('makes access tokens for Rollcall; those before are for Keycloak itself', async () => {
      expectRefusal(await answer(), /"aud"/);
      await adminConsole.addAudience();
      expect((await answer()).code).to.equal('email_unverified');
    });

    it('knows that an email is verified', async () => {
      await adminConsole.verifyEmail();
      expect(await answer()).to.deep.equal(ADMITTED);
    });

    it('signs an admin in to the console', async () => {
      const { page, close } = await openPage();
      try {
        await page.goto(`${address}/console/accounts`);
        await page.getByRole('link', { name: /^Continue with/ }).click();
        await page.locator('#username').fill(ADA.email);
        await page.locator('#password').fill(ADA.password);
        await page.locator('[type=submit]').click();
        await page.getByRole('link', { name: 'My account' }).waitFor();
        expect(page.url()).to.equal(`${address}/console/accounts`);
      } finally {
        await close();
      }
    });
  });

  describe('in place of a sign-in, gets no further with', () => {
    it('the ID token of the app or its refresh token', async () => {
      const { id_token, refresh_token } = await tokens();
      expectRefusal(await answerTo(id_token), /"aud"/);
      expectRefusal(await answerTo(refresh_token), /./);
    });

    it('a token of another client or of another realm', async () => {
      await createClient(keycloak, REALM, { clientId: 'other' });
      expectRefusal(await answer('other'), /"aud"/);
      expectRefusal(await answerTo(await keycloak.adminToken()), /./);
    });

    it('a token that a client gets for itself, which has no email', async () => {
      const audience = {
        name: AUDIENCE,
        protocol: 'openid-connect',
        protocolMapper: 'oidc-audience-mapper',
        config: { 'included.custom.audience': AUDIENCE, 'access.token.claim': 'true' },
      };
      const [clientId, secret] = ['robot', 'the secret of a robot'];
      await createClient(keycloak, REALM, {
        clientId,
        secret,
        publicClient: false,
        serviceAccountsEnabled: true,
        protocolMappers: [audience],
      });
      const response = await fetch(`${issuer}/protocol/openid-connect/token`, {
        method: 'POST',
        body: new URLSearchParams({
          client_id: clientId,
          client_secret: secret,
          grant_type: 'client_credentials',
        }),
      });
      const { access_token } = (await response.json()) as { access_token: string };
      expectRefusal(await answerTo(access_token), /email/);
    });

    it('a lightweight access token, which has no email either', async () => {
      await setAttributes({ 'client.use.lightweight.access.token.enabled': 'true' });
      expectRefusal(await answer(), /./);
      await setAttributes({ 'client.use.lightweight.access.token.enabled': 'false' });
      expect(await answer()).to.deep.equal(ADMITTED);
    });

    it('a token without a subject, whose account belongs to one by now', async () => {
      const [client] = (await keycloak.admin('GET', `/${REALM}/clients?clientId=${APP}`)) as Entity[];
      const scopes = (await keycloak.admin('GET', `/${REALM}/client-scopes`)) as Entity[];
      const basic = scopes.find(({ name }) => name === 'basic');
      const path = `/${REALM}/clients/${client?.id}/default-client-scopes/${basic?.id}`;
      expect(await answer()).to.deep.equal(ADMITTED);
      // Which has the subject.
      await keycloak.admin('DELETE', path);
      expect((await answer()).code).to.equal('identity_mismatch');
      await keycloak.admin('PUT', path);
      expect(await answer()).to.deep.equal(ADMITTED);
    });
  });

  describe('later', () => {
    it('signs by another algorithm, with a key that it makes for it', async () => {
      for (const algorithm of ALGORITHMS) {
        await setAttributes({ 'access.token.signed.response.alg': algorithm });
        const { access_token } = await tokens();
        const [header = ''] = access_token.split('.');
        expect(JSON.parse(Buffer.from(header, 'base64url').toString()).alg).to.equal(algorithm);
        // A key that was not there when the keys were fetched is looked for again ten seconds later.
        const said = await until(
          `an answer to ${algorithm}`,
          async () => {
            const said = await answerTo(access_token);
            if (said.code === 'identity_provider_unavailable') await sleep(500);
            return said.code === 'identity_provider_unavailable' ? undefined : said;
          },
          20_000,
        );
        expect(said, algorithm).to.deep.equal(ADMITTED);
        // A key that is unknown within a second after a fetch does not exist.
        await sleep(1_000);
      }
    });

    it('changes the email of a person, and the account takes it once it is verified', async () => {
      const email = 'ada@lovelace.example';
      const change = (emailVerified: boolean) =>
        update('users', `username=${ADA.username}`, { email, emailVerified });
      await change(false);
      expect((await answer()).code).to.equal('email_unverified');
      await change(true);
      expect(await answer()).to.deep.equal({ ...ADMITTED, email });
    });
  });
});
