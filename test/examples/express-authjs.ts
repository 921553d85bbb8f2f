import { expect } from 'chai';
import { findFreePort } from '../../src/database/embedded/start.ts';
import { type AuthjsApp, itLetsPeopleIn, useAuthjsApp } from '../support/authjs-app.ts';
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

  itLetsPeopleIn(() => {
    const { page } = watched;
    return {
      app,
      watched,
      database,
      origin,
      saved: page.locator('[data-theme=dark]'),
      inside: page.locator('#app'),
    };
  });

  it('has the console under the same path', async () => {
    await app.signOut();
    const response = await watched.page.goto(`${origin}/accounts/console`);
    expect(response?.status()).to.equal(200);
  });
});
