import { expect } from 'chai';
import { findFreePort } from '../../src/database/embedded/start.ts';
import { SECRET } from '../support/app.ts';
import { type AuthjsApp, itLetsPeopleIn, useAuthjsApp } from '../support/authjs-app.ts';
import { openPage, type WatchedPage } from '../support/browser.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';
import { copyExamples, type Examples } from '../support/examples.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';

const NAME = 'nextjs-authjs';

// Not among the suites of `npm test`, because they install packages: `npm run test:examples`.
describe('the example of Next.js with Auth.js', function () {
  this.timeout(300_000);

  let examples: Examples;
  let database: TestDatabase;
  let server: ServerProcess;
  let watched: WatchedPage;
  let origin: string;
  let app: AuthjsApp;

  before(async () => {
    examples = copyExamples();
    const port = await findFreePort();
    origin = `http://localhost:${port}`;
    database = await createEmptyDatabase();
    const settings = { BASE_PATH: '/accounts', PUBLIC_URL: origin, INITIAL_ADMINS: 'ada@example.com' };
    // From the sources, which have the console.
    server = startServer({ DATABASE_URL: database.url, ...settings }, 'src/server.ts');
    const rollcall = new URL(await server.ready()).origin;
    console.log(`      installed and built in ${examples.install(NAME)} s`);
    const started = examples.start(NAME, {
      PORT: `${port}`,
      AUTH_SECRET: SECRET,
      ROLLCALL_URL: rollcall,
    });
    await started.said(/Ready in/);
    watched = await openPage();
    app = useAuthjsApp(watched.page, origin);
  });

  after(async () => {
    await watched?.close();
    await examples.remove();
    await server?.end('SIGKILL');
    await database?.drop();
  });

  itLetsPeopleIn(() => {
    const { page } = watched;
    return {
      app,
      watched,
      database,
      origin,
      saved: page.getByText('saved'),
      inside: page.getByLabel('Theme'),
    };
  });

  it('says at its start that it lacks the secret', async () => {
    const without = examples.start(NAME, { PORT: `${await findFreePort()}` });
    await without.said(/^Set AUTH_SECRET /);
    expect(await without.ended()).to.equal(1);
  });

  it('has the console under the same path, for admins who are signed in to the app', async () => {
    const { page } = watched;
    await app.signOut();
    await app.signIn('ada@example.com');
    const response = await page.goto(`${origin}/accounts/console/accounts`);
    expect(response?.status()).to.equal(200);
    await page.getByText('Continue with the app’s sign-in (ada@example.com)').click();
    await page.getByText('grace@example.com').first().waitFor();
  });
});
