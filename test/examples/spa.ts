import { expect } from 'chai';
import { findFreePort } from '../../src/database/embedded/start.ts';
import { openPage, type WatchedPage } from '../support/browser.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';
import { copyExamples, type Examples } from '../support/examples.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';
import { type PeopleProvider, startPeopleProvider } from '../support/sign-in-provider.ts';

const AUDIENCE = 'https://accounts.example.com';

// Not among the suites of `npm test`, because they install packages: `npm run test:examples`.
describe('the example of an app without a back end', function () {
  this.timeout(300_000);

  let examples: Examples;
  let provider: PeopleProvider;
  let database: TestDatabase;
  let server: ServerProcess;
  let watched: WatchedPage;
  let origin: string;

  before(async () => {
    examples = copyExamples();
    const port = await findFreePort();
    origin = `http://127.0.0.1:${port}`;
    provider = await startPeopleProvider({
      audience: AUDIENCE,
      client: { client_id: 'spa', token_endpoint_auth_method: 'none' },
    });
    provider.register(`${origin}/`);
    database = await createEmptyDatabase();
    server = startServer({
      DATABASE_URL: database.url,
      AUTH_ISSUER: provider.issuer,
      AUTH_AUDIENCE: AUDIENCE,
      CORS_ORIGINS: origin,
      INITIAL_ADMINS: 'ada@example.com',
    });
    const address = await server.ready();
    console.log(`      installed in ${examples.install('spa')} s`);
    const app = examples.start('spa', {
      PORT: `${port}`,
      ROLLCALL_URL: address,
      ISSUER: provider.issuer,
      AUDIENCE,
    });
    await app.said(/^http:/);
    watched = await openPage();
  });

  after(async () => {
    await watched?.close();
    await examples.remove();
    await server?.end('SIGKILL');
    await provider?.close();
    await database?.drop();
  });

  const signIn = async () => {
    await watched.page.goto(origin);
    await watched.page.getByRole('button', { name: 'Sign in' }).click();
    await watched.page.waitForURL(`${origin}/`);
  };

  it('signs an admin in, lists the accounts, and keeps a theme', async () => {
    const { page } = watched;
    await signIn();
    await page.getByText('ada@example.com, admin').first().waitFor();
    expect(await page.locator('#admins li').allTextContents()).to.deep.equal(['ada@example.com, admin']);
    await page.getByLabel('Theme').selectOption('dark');
    await page.getByText('saved').waitFor();
    expect(await database.query('select preferences from users')).to.deep.equal([
      { preferences: { theme: 'dark' } },
    ]);
    await page.reload();
    await page.locator('[data-theme=dark]').waitFor();
    expect(watched.complaints).to.deep.equal([]);
  });

  it('says at its start which provider it lacks', async () => {
    const app = examples.start('spa', { PORT: '0' });
    await app.said(/^Set ISSUER /);
    expect(await app.ended()).to.equal(1);
  });

  it('says why somebody without an account may not come in', async () => {
    const { page } = watched;
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.context().clearCookies();
    provider.person = { sub: 'eve', email: 'eve@example.com', email_verified: true };
    await signIn();
    await page.getByText(/^account_\w+: /).waitFor();
    expect(await page.locator('#app').isVisible()).to.equal(false);
  });
});
