import { expect } from 'chai';
import { VIEW_NAMES } from '../../src/console/addresses.ts';
import { addAccount } from '../support/accounts.ts';
import { ADA, expectNoComplaints, openConsole, type TestConsole } from '../support/console-page.ts';

/** A small phone. */
const PHONE = { width: 360, height: 740 };

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('the console on a phone, in a real browser', function () {
  this.timeout(120_000);

  let console: TestConsole;
  let id: number;

  before(async () => {
    console = await openConsole();
    ({ id } = await addAccount(console.app.database, `${'long'.repeat(15)}@sub.domain.example.com`, {
      name: 'Wolfeschlegelsteinhausenbergerdorff '.repeat(6).trim(),
    }));
    await console.page.setViewportSize(PHONE);
  });

  after(() => console?.close());

  expectNoComplaints(() => console);

  const bar = () => console.page.getByRole('navigation', { name: 'Main' });
  const sheet = () => console.page.getByRole('dialog', { name: 'More' });
  const topOfBar = async () => (await bar().boundingBox())?.y ?? 0;

  it('scrolls no view sideways, and says each of five places of the bar in one line', async () => {
    const { page } = console;
    for (const view of [...VIEW_NAMES, `accounts/${id}`]) {
      await console.open(`/${view}`);
      await page.locator('main.view h1').waitFor();
      await page.waitForLoadState('load');
      await page.locator('.bone').first().waitFor({ state: 'detached' });
      const width = await page.evaluate<number>('document.documentElement.scrollWidth');
      expect(width, view).to.equal(PHONE.width);
    }
    const places = await bar().locator('a:visible, button:visible').all();
    expect(places).to.have.length(5);
    for (const place of places) {
      const [text, box] = [await place.innerText(), await place.boundingBox()];
      expect(text.trim()).to.not.include('\n');
      expect(box?.height, text).to.be.within(44, 48);
    }
  });

  it('has the filters behind a button that counts them, and shows at once how to clear them', async () => {
    const { page } = console;
    const unfold = page.getByRole('button', { name: 'Filters', exact: false }).first();
    for (const [path, filter, first] of [
      ['/accounts', page.getByLabel('Role'), '.list'],
      ['/activity', page.getByLabel('Action'), '.live-bar'],
    ] as const) {
      await console.open(path);
      await page.locator(first).waitFor();
      expect(await filter.isVisible(), path).to.equal(false);
      // A line for the title, and one for the search.
      expect((await page.locator(first).boundingBox())?.y, path).to.be.below(120);
      await unfold.press('Enter');
      expect(await unfold.getAttribute('aria-expanded')).to.equal('true');
      await filter.selectOption({ index: 1 });
      expect(await unfold.innerText(), path).to.match(/^Filters\s+1\s+set$/);
      await console.expectAccessible();
      await page.reload();
      expect(await filter.isVisible(), path).to.equal(false);
      await page.getByRole('button', { name: 'Clear filters' }).first().click();
      await page.waitForURL((url) => url.search === '');
      expect(await unfold.innerText(), path).to.equal('Filters');
    }
  });

  it('has the other views, the theme and who is signed in behind “More”', async () => {
    const { page } = console;
    await console.open('/accounts');
    await bar().getByRole('button', { name: 'More' }).click();
    await sheet().getByText('ada@example.com').waitFor();
    await console.expectAccessible();
    await sheet().getByText('Theme').waitFor();
    await sheet().getByLabel('Theme').selectOption('dark');
    expect(await page.evaluate<string>('document.documentElement.dataset.theme')).to.equal('dark');
    await sheet().getByLabel('Theme').selectOption('system');
    // A touch beside it closes it, and gives the focus back.
    await page.mouse.click(180, 40);
    await sheet().waitFor({ state: 'detached' });
    expect(await page.evaluate<string>('document.activeElement.textContent')).to.equal('More');
    await page.keyboard.press('Enter');
    await sheet().getByRole('link', { name: 'Access' }).click();
    await page.waitForURL(/\/console\/access$/);
    await sheet().waitFor({ state: 'detached' });
    await console.expectAccessible();
  });

  it('shows messages above the bar, and those beside a selection at the top', async () => {
    const { page } = console;
    await console.open(`/accounts/${id}`);
    await page.getByRole('button', { name: 'Suspend' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('This is what will change').waitFor();
    await dialog.getByRole('button', { name: 'Suspend' }).click();
    const toast = page.locator('.toast').filter({ hasText: 'is suspended' });
    await toast.waitFor();
    const box = await toast.boundingBox();
    expect((box?.y ?? 0) + (box?.height ?? 0)).to.be.below(await topOfBar());
    await bar().getByRole('link', { name: 'Accounts' }).click();
    await page.getByRole('checkbox', { name: 'Select ada@example.com' }).check();
    const selected = await page.getByRole('region', { name: 'Selected accounts' }).boundingBox();
    expect((selected?.y ?? 0) + (selected?.height ?? 0)).to.be.below(await topOfBar());
    const moved = await toast.boundingBox();
    expect((moved?.y ?? 0) + (moved?.height ?? 0)).to.be.below(selected?.y ?? 0);
    await console.expectAccessible();
  });

  it('says of a suspended admin when the role ends, beside the name and in a row of the same height', async () => {
    const { page, app } = console;
    const { id } = await addAccount(app.database, 'interim@example.com', { role: 'admin', name: 'In Terim' });
    const until = '2040-12-07T12:00:00Z';
    await app.database.query(`update users set role_until = $2, status = 'suspended' where id = $1`, [
      id,
      until,
    ]);
    await console.open('/accounts?q=im@');
    const row = page.locator(`tr[data-id="${id}"]`);
    for (const text of ['Admin', 'Dec 7, 2040', 'Suspended']) {
      const said = row.locator('.small-only').getByText(text, { exact: true });
      const [box, own] = [await said.boundingBox(), await row.boundingBox()];
      expect(box?.y, text).to.be.at.least(own?.y ?? Number.NaN);
      expect((box?.y ?? 0) + (box?.height ?? 0), text).to.be.at.most((own?.y ?? 0) + (own?.height ?? 0));
      expect((box?.x ?? 0) + (box?.width ?? 0), text).to.be.at.most(PHONE.width);
      expect(own?.height).to.be.within(51, 53);
    }
    await row.getByRole('link', { name: 'In Terim' }).waitFor();
  });

  it('has the bar above the view where the screen is low, as a zoom of 400 % makes it, and scrolls no view sideways', async () => {
    const { page } = console;
    await page.setViewportSize({ width: 320, height: 256 });
    for (const view of [...VIEW_NAMES, `accounts/${id}`]) {
      await console.open(`/${view}`);
      const title = page.locator('main.view h1').first();
      await title.waitFor();
      await page.locator('.bone').first().waitFor({ state: 'detached' });
      expect(await page.evaluate<number>('document.documentElement.scrollWidth'), view).to.equal(320);
      const { y = Number.NaN, height = 0 } = (await bar().boundingBox()) ?? {};
      expect(y + height, view).to.be.below((await title.boundingBox())?.y ?? Number.NaN);
      await page.mouse.wheel(0, 200);
    }
    await page.setViewportSize(PHONE);
  });

  it('keeps what it says apart and whole where the reader spaces letters and words', async () => {
    const { page } = console;
    await console.open('/turned-away');
    await page.evaluate(
      "document.adoptedStyleSheets = [Object.assign(new CSSStyleSheet(), {})]; document.adoptedStyleSheets[0].replaceSync('* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important }')",
    );
    const widths = await bar()
      .locator('a:visible, button:visible')
      .evaluateAll((places) =>
        (places as unknown as { clientWidth: number; scrollWidth: number }[]).map(
          ({ clientWidth, scrollWidth }) => scrollWidth - clientWidth,
        ),
      );
    expect(widths).to.deep.equal([0, 0, 0, 0, 0]);
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).to.equal(PHONE.width);
  });

  it('shows the whole id of a request, however long, where nobody can hover', async () => {
    const { app, page } = console;
    const requestId = 'request-'.repeat(16);
    const answer = await app.call(`/v1/users/${id}`, {
      as: ADA,
      method: 'PATCH',
      headers: { 'Content-Type': 'application/json', 'X-Request-Id': requestId },
      body: JSON.stringify({ storageMode: 'account' }),
    });
    expect(answer.status).to.equal(200);
    await console.open(`/accounts/${id}`);
    const request = page.locator('.timeline .request').first();
    await request.waitFor();
    const isCut = await request.evaluate((it) => it.scrollWidth > it.clientWidth);
    expect(isCut).to.equal(false);
    const { x = Number.NaN, width = 0 } = (await request.boundingBox()) ?? {};
    expect(x + width).to.be.at.most(PHONE.width);
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).to.equal(PHONE.width);
  });

  it('has room for longer words, as other languages have them', async () => {
    const { page } = console;
    await console.open(`/accounts/${id}`);
    await page.locator('.timeline .event').first().waitFor();
    await page.locator('.side .nav span, .fields .field-row > .soft, .fields dt').evaluateAll((words) => {
      for (const word of words as unknown as { textContent: string }[]) word.textContent += 'ungsverwaltung';
    });
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).to.equal(PHONE.width);
    for (const place of await bar().locator('a:visible, button:visible').all()) {
      const { x = Number.NaN, width = 0 } = (await place.boundingBox()) ?? {};
      expect(x + width).to.be.at.most(PHONE.width);
    }
    const overlaps = await page
      .locator('.fields .field-row > .soft, .fields dt')
      .evaluateAll((words) =>
        (words as unknown as { clientWidth: number; scrollWidth: number }[]).filter(
          ({ clientWidth, scrollWidth }) => scrollWidth > clientWidth,
        ),
      );
    expect(overlaps).to.have.length(0);
  });

  it('breaks an email before its domain, and a longer domain at its dots', async () => {
    const { page, app } = console;
    /** How many lines each text of an email has, and all of them together. */
    const linesOf = async (address: string) => {
      const { id } = await addAccount(app.database, address);
      await console.open(`/accounts/${id}`);
      const email = page.locator('.fields .value bdi', { hasText: address });
      return email.evaluate((bdi: unknown) => {
        interface Node {
          readonly nodeType: number;
          readonly childNodes: Iterable<Node>;
        }
        const { document } = globalThis as unknown as {
          document: {
            createRange(): {
              selectNodeContents(of: unknown): void;
              getClientRects(): Iterable<{ top: number }>;
            };
          };
        };
        const textsOf = (node: Node): Node[] =>
          node.nodeType === 3 ? [node] : [...node.childNodes].flatMap(textsOf);
        const tops = textsOf(bdi as Node).map((node) => {
          const range = document.createRange();
          range.selectNodeContents(node);
          return [...new Set([...range.getClientRects()].map(({ top }) => Math.round(top)))];
        });
        return { each: tops.map(({ length }) => length), all: new Set(tops.flat()).size };
      });
    };
    const short = await linesOf('grace.hopper@lab.example.org');
    expect(short.all).to.equal(2);
    expect(new Set(short.each)).to.deep.equal(new Set([1]));
    const long = await linesOf('margaret.johnson@computing.laboratory.of.the.example.org');
    expect(long.all).to.be.above(2);
    expect(new Set(long.each)).to.deep.equal(new Set([1]));
  });

  it('shows who was turned away with everything at the same edge', async () => {
    const { page, app } = console;
    await app.call('/v1/me', { as: 'mallory@elsewhere.example' });
    await console.open('/turned-away');
    const row = page.locator('tr[data-email]');
    await row.waitFor();
    const edge = (await row.locator('.who bdi').boundingBox())?.x;
    // An email has the whole line.
    const widths = await Promise.all(
      ['.who', '.why', '.act'].map(async (part) => (await row.locator(part).boundingBox())?.width),
    );
    expect(new Set(widths)).to.have.length(1);
    for (const part of ['.why .badge', '.number .label >> nth=0', '.act .button >> nth=0']) {
      expect((await row.locator(part).boundingBox())?.x, part).to.equal(edge);
    }
    await console.expectAccessible();
  });

  it('signs out there', async () => {
    const { page } = console;
    await console.open('/activity');
    await bar().getByRole('button', { name: 'More' }).click();
    await sheet().getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in to the console' }).waitFor();
  });
});
