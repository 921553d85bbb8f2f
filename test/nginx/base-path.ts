import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { startApp } from '../support/app.ts';
import { openPage } from '../support/browser.ts';
import { startNginx } from '../support/nginx.ts';

const ADA = 'ada@example.com';

describe('under a path of an nginx', function () {
  this.timeout(120_000);

  it('the API, its links and the page at /docs work, in a browser too', async () => {
    const app = await startApp({ basePath: '/rollcall', trustProxy: 1 });
    const nginx = await startNginx(`location /rollcall/ { proxy_pass ${app.url}; }`);
    const browser = await openPage();
    try {
      await addAccount(app.database, ADA, { role: 'admin' });
      await addAccount(app.database, 'grace@example.com');
      const users = await app.call(`${nginx.url}/rollcall/v1/users?limit=1`, { as: ADA });
      expect(users.status).to.equal(200);
      const [, next = ''] = /^<([^>]*)>/.exec(users.headers.get('link') ?? '') ?? [];
      expect((await app.call(new URL(next, nginx.url).href, { as: ADA })).status).to.equal(200);
      expect((await app.call(`${nginx.url}/v1/me`, { as: ADA })).status).to.equal(404);

      await browser.page.goto(`${nginx.url}/rollcall/docs`);
      const operation = browser.page.locator('#operations-Service-getHealthz');
      await operation.locator('.opblock-summary-control').click();
      await operation.locator('.try-out__btn').click();
      await operation.locator('.execute').click();
      const answer = operation.locator('.live-responses-table');
      expect(await answer.locator('tbody .response-col_status').first().textContent()).to.match(/^200/);
      expect(browser.complaints).to.deep.equal([]);
      expect(browser.requests).to.include(`${nginx.url}/rollcall/healthz`);
    } finally {
      await browser.close();
      await nginx.close();
      await app.close();
    }
  });
});
