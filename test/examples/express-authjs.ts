import { expect } from 'chai';
import { findFreePort } from '../../src/database/embedded/start.ts';
import { type AuthjsApp, useAuthjsApp } from '../support/authjs-app.ts';
import { openPage, type WatchedPage } from '../support/browser.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';
import { copyExamples, type Examples } from '../support/examples.ts';

const NAME = 'express-authjs';

// Not among the suites of `npm test`, because they install packages: `npm run test:examples`.
describe('the example of Express with Auth.js', function () {
  this.timeout(300_000);

  let examples: Examples;
  let database: TestDatabase;
  let watched: WatchedPage;
  let origin: string;
  let app: AuthjsApp;

  before(async () => {
    examples = copyExamples();
    const port = await findFreePort();
    origin = `http://127.0.0.1:${port}`;
    database = await createEmptyDatabase();
    console.log(`      installed in ${examples.install(NAME)} s`);
    const started = examples.start(NAME, { PORT: `${port}`, DATABASE_URL: database.url });
    await started.said(/^http:/);
    watched = await openPage();
    app = useAuthjsApp(watched.page, origin);
  });

  after(async () => {
    await watched?.close();
    await examples.remove();
    await database?.drop();
  });

  it('lets an admin in, and keeps a theme', async () => {
    const { page } = watched;
    expect((await app.report())[0]).to.equal(401);
    await app.signIn('ada@example.com');
    await page.getByText('ada@example.com, admin').waitFor();
    watched.takeComplaints();
    await page.getByLabel('Theme').selectOption('dark');
    await page.locator('[data-theme=dark]').waitFor();
    await page.reload();
    await page.locator('[data-theme=dark]').waitFor();
    expect(await database.query('select email, preferences from users')).to.deep.equal([
      { email: 'ada@example.com', preferences: { theme: 'dark' } },
    ]);
    expect(await app.report()).to.deep.equal([200, 'A report for ada@example.com']);
    expect(watched.complaints).to.deep.equal([]);
  });

  it('lets a user in who is invited, not into the report, and out again when suspended', async () => {
    const { page } = watched;
    await app.signOut();
    await app.signIn('grace@example.com');
    await page.getByText(/no account|invite/i).waitFor();
    await database.query(`insert into users (email) values ('grace@example.com')`);
    await page.reload();
    await page.getByText('grace@example.com, user').waitFor();
    expect(await app.report()).to.deep.equal([403, 'This page is for admins.']);
    await database.query(`update users set status = 'suspended' where email = 'grace@example.com'`);
    expect((await app.report())[0]).to.equal(403);
    await page.goto(origin);
    await page.getByText(/suspended/).waitFor();
    expect(await page.locator('#app').isVisible()).to.equal(false);
  });

  it('has the console under the same path', async () => {
    await app.signOut();
    const response = await watched.page.goto(`${origin}/accounts/console`);
    expect(response?.status()).to.equal(200);
  });
});
