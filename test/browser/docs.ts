import { AxeBuilder } from '@axe-core/playwright';
import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { signHs256 } from '../../src/security/hmac.ts';
import { addAccount } from '../support/accounts.ts';
import { SECRET, startApp, type TestApp } from '../support/app.ts';
import { openPage, type WatchedPage } from '../support/browser.ts';
import { expectNoComplaints } from '../support/console-page.ts';

const ADA = 'ada@example.com';

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('the page at /docs, in a real browser', function () {
  this.timeout(300_000);

  let app: TestApp;
  let watched: WatchedPage;
  let page: Page;
  /** The operations of the document, by the page's ids. */
  let ids: string[];

  before(async () => {
    app = await startApp();
    await addAccount(app.database, ADA, { role: 'admin', name: 'Ada Lovelace' });
    type Items = Record<string, Record<string, { operationId: string; tags: string[] }>>;
    const document = (await (await app.call('/openapi.json')).json()) as { paths: Items; webhooks: Items };
    const operationsOf = (items: Items) => Object.values(items).flatMap((item) => Object.values(item));
    ids = [
      ...operationsOf(document.paths).map(
        ({ operationId, tags: [tag = ''] }) => `operations-${tag.replaceAll(' ', '_')}-${operationId}`,
      ),
      ...operationsOf(document.webhooks).map(({ operationId }) => `operations-webhooks-${operationId}`),
    ];
    watched = await openPage();
    page = watched.page;
    await open();
  });

  const open = async () => {
    await page.goto(`${app.url}/docs`);
    await page
      .locator('.opblock')
      .nth(ids.length - 1)
      .waitFor();
  };
  /** Asserts that axe finds nothing wrong with a part of the page in both themes, and that the page needs no more than the width of a phone. */
  const expectReadable = async (part: string) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [1280, 360]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 740 });
        expect(await page.evaluate('document.documentElement.scrollWidth'), `${width}`).to.be.at.most(width);
      }
      const { violations } = await new AxeBuilder({ page }).include(part).analyze();
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
      expect(found, colorScheme).to.deep.equal([]);
    }
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize({ width: 1280, height: 720 });
  };

  after(async () => {
    await watched?.close();
    await app?.close();
  });

  expectNoComplaints(() => ({ watched, app }));

  it('shows every operation of the document', async () => {
    const blocks = await page.locator('.opblock').all();
    const shown = await Promise.all(blocks.map((block) => block.getAttribute('id')));
    expect(shown).to.have.members(ids);
    expect(await page.locator('.info .title').textContent()).to.match(/^Rollcall/);
  });

  it('looks like the console in both themes, and as chosen there', async () => {
    const look = async (path: string, selectors: readonly string[]) => {
      await page.goto(app.url + path);
      const colours = [];
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        for (const selector of selectors) {
          const place = page.locator(selector).first();
          await place.waitFor();
          colours.push(
            await place.evaluate((element) => {
              const { backgroundColor, color, fontFamily, borderTopColor } = (
                globalThis as unknown as { getComputedStyle(of: unknown): Record<string, string> }
              ).getComputedStyle(element);
              return { backgroundColor, color, fontFamily, borderTopColor };
            }),
          );
        }
      }
      await page.emulateMedia({ colorScheme: 'light' });
      return colours;
    };
    const docs = await look('/docs', ['body', '.opblock-tag', '.opblock']);
    const [body, tag, block, darkBody, darkTag, darkBlock] = docs;
    const [page1, box, darkPage, darkBox] = await look('/console', ['body', '.box']);
    expect([body, darkBody]).to.deep.equal([page1, darkPage]);
    expect([block, darkBlock]).to.deep.equal([box, darkBox]);
    expect([tag?.['color'], darkTag?.['color']]).to.deep.equal([page1?.['color'], darkPage?.['color']]);
    expect(body?.['backgroundColor']).to.not.equal(darkBody?.['backgroundColor']);
    await page.evaluate(`localStorage.setItem('rollcall-theme', 'dark')`);
    const [chosen] = await look('/docs', ['body']);
    expect(chosen).to.deep.equal(darkBody);
    await page.evaluate(`localStorage.removeItem('rollcall-theme')`);
  });

  it('leads to the console', async () => {
    await open();
    await page.getByRole('link', { name: 'Console' }).click();
    await page.waitForURL(`${app.url}/console`);
    await page.goBack();
    await page
      .locator('.opblock')
      .nth(ids.length - 1)
      .waitFor();
  });

  it('shows them on the next visit too, which confirms what the browser has stored', async () => {
    const visits = [
      () => page.goto('about:blank').then(() => page.goto(`${app.url}/docs`)),
      () => page.reload(),
    ];
    for (const visit of visits) {
      // From the server's log: the browser reports the stored 200.
      const before = app.log.length;
      await visit();
      await page
        .locator('.opblock')
        .nth(ids.length - 1)
        .waitFor();
      const answers = app.log.slice(before).map(({ route, status }) => `${route} ${status}`);
      expect(answers).to.include.members(['/docs 304', '/docs/:file 304']);
    }
  });

  it('opens an operation in the turn of the click, with what its references lead to', async () => {
    const example = await page.evaluate(`new Promise((resolve) => {
      const operation = document.getElementById('operations-Accounts-getUsersById');
      operation.querySelector('.opblock-summary-control').click();
      setTimeout(() => resolve(operation.querySelector('.responses-table .example')?.textContent));
    })`);
    expect(example).to.include('storageMode');
    const refusal = page.locator('#operations-Accounts-getUsersById .renderedMarkdown', {
      hasText: 'Not Found',
    });
    expect(await refusal.first().innerHTML()).to.equal('<p>Not Found: <code>not_found</code>.</p>');
    await page.locator('#operations-Accounts-getUsersById .opblock-summary-control').click();
  });

  it('opens each operation with its answers', async () => {
    for (const id of ids) {
      const operation = page.locator(`#${id}`);
      const summary = operation.locator('.opblock-summary-control');
      await summary.click();
      await operation.locator('.responses-table').first().waitFor();
      // Closed again, because the page redraws all open operations at each click.
      await summary.click();
    }
  });

  it('unfolds the schema of an answer', async () => {
    const operation = page.locator('#operations-Accounts-getUsersById');
    await operation.locator('.opblock-summary-control').click();
    const answer = operation.locator('.responses-table .response').first();
    await answer.getByRole('tab', { name: 'Schema' }).click();
    const fields = answer.locator('.model-box .json-schema-2020-12-property');
    expect(await fields.allTextContents()).to.satisfy((all: string[]) =>
      all.some((text) => text.startsWith('storageMode')),
    );
    await fields.getByRole('button', { name: 'Expand all' }).first().click();
    await fields.locator('[aria-expanded=true]').first().waitFor();
    await expectReadable('body');
    await operation.locator('.opblock-summary-control').click();
  });

  it('signs in with a token, and tries out a request', async () => {
    await page.locator('.auth-wrapper .authorize').first().click();
    await page
      .locator('.modal-ux input[type=text]')
      .first()
      .fill(await signHs256(SECRET, ADA, '1h'));
    await expectReadable('.modal-ux');
    await page.locator('.modal-ux .auth-btn-wrapper .authorize').first().click();
    await page.locator('.modal-ux .auth-btn-wrapper .btn-done').first().click();

    const operation = page.locator('#operations-My_account-getMe');
    await operation.locator('.opblock-summary-control').click();
    await operation.locator('.try-out__btn').click();
    await operation.locator('.execute').click();
    const answer = operation.locator('.live-responses-table');
    expect(await answer.locator('tbody .response-col_status').first().textContent()).to.match(/^200/);
    expect(await answer.textContent()).to.include('Ada Lovelace');
    await expectReadable('#operations-My_account-getMe');
  });
});
