import { expect } from 'chai';
import { signHs256 } from '../../src/security/hs256.ts';
import { addAccount } from '../support/accounts.ts';
import { SECRET, startApp, type TestApp } from '../support/app.ts';
import { openPage, type Page } from '../support/browser.ts';

const ADA = 'ada@example.com';

describe('the page at /docs, in a real browser', function () {
  this.timeout(120_000);

  let app: TestApp;
  let page: Page;
  /** The operations of the document, as the page numbers them. */
  let ids: string[];

  before(async () => {
    app = await startApp();
    await addAccount(app.database, ADA, { role: 'admin', name: 'Ada Lovelace' });
    const document = (await (await app.call('/openapi.json')).json()) as {
      paths: Record<string, Record<string, { operationId: string; tags: string[] }>>;
    };
    ids = Object.values(document.paths)
      .flatMap((path) => Object.values(path))
      .map(({ operationId, tags: [tag = ''] }) => `operations-${tag.replaceAll(' ', '_')}-${operationId}`);
    page = await openPage();
    await page.goto(`${app.url}/docs`);
    await page.when(`document.querySelectorAll('.opblock').length >= ${ids.length}`);
  });

  after(async () => {
    await page?.close();
    await app?.close();
  });

  afterEach('nothing was refused by the policy, and nothing was fetched from elsewhere', () => {
    expect(page.complaints).to.deep.equal([]);
    expect(page.requests.filter((url) => !url.startsWith(app.url) && !url.startsWith('data:'))).to.deep.equal(
      [],
    );
  });

  it('shows every operation of the document', async () => {
    const shown = await page.when<string[]>(`[...document.querySelectorAll('.opblock')].map(({ id }) => id)`);
    expect(shown).to.have.members(ids);
    expect(await page.when('document.querySelector(".info .title").textContent')).to.match(/^Rollcall/);
    expect(await page.when('getComputedStyle(document.querySelector(".opblock")).borderRadius')).to.equal(
      '4px',
    );
  });

  it('opens each of them, with its answers', async () => {
    for (const id of ids) {
      await page.when(`(document.querySelector('#${id} .opblock-summary-control').click(), true)`);
      await page.when(`document.querySelector('#${id} .responses-table')`);
      // Closed again, or the page draws all that is open anew each time.
      await page.when(`(document.querySelector('#${id} .opblock-summary-control').click(), true)`);
    }
    await page.when(`(document.querySelectorAll('.model-box button, .model-container button')
      .forEach((button) => button.click()), true)`);
  });

  it('signs in with a token, and tries out a request', async () => {
    const token = await signHs256(SECRET, ADA, '1h');
    await page.when(`(document.querySelector('.auth-wrapper .authorize').click(), true)`);
    // React sets the value by itself, unless it is set past it.
    await page.when(`(() => {
      const field = document.querySelector('.modal-ux input[type=text]');
      if (!field) return false;
      Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(field, '${token}');
      field.dispatchEvent(new Event('input', { bubbles: true }));
      return true;
    })()`);
    await page.when(`(document.querySelector('.modal-ux .auth-btn-wrapper .authorize').click(), true)`);
    await page.when(`document.querySelector('.modal-ux .auth-btn-wrapper .btn-done')`);
    await page.when(`(document.querySelector('.modal-ux .auth-btn-wrapper .btn-done').click(), true)`);

    const at = '#operations-My_account-getMe';
    await page.when(`(document.querySelector('${at} .opblock-summary-control').click(), true)`);
    await page.when(`document.querySelector('${at} .try-out__btn')`);
    await page.when(`(document.querySelector('${at} .try-out__btn').click(), true)`);
    await page.when(`document.querySelector('${at} .execute')`);
    await page.when(`(document.querySelector('${at} .execute').click(), true)`);
    const status = await page.when(
      `document.querySelector('${at} .live-responses-table tbody .response-col_status')?.textContent`,
    );
    expect(status).to.match(/^200/);
    expect(await page.when(`document.querySelector('${at} .live-responses-table').textContent`)).to.include(
      'Ada Lovelace',
    );
  });
});
