import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { expectNoComplaints, openConsole, type TestConsole } from '../support/console-page.ts';

const RTL_NAME = 'محمد بن موسى الخوارزمي';

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('the console with colours that the reader forces, and from right to left, in a real browser', function () {
  this.timeout(120_000);

  let console: TestConsole;
  let id: number;

  before(async () => {
    console = await openConsole();
    ({ id } = await addAccount(console.app.database, 'musa@example.com', { name: RTL_NAME }));
    await console.patch(`/v1/users/${id}`, { status: 'suspended' });
  });

  after(() => console?.close());

  expectNoComplaints(() => console);

  /** What the browser makes of a property of the first element that a selector finds. */
  const style = (selector: string, property: string) =>
    console.page.evaluate<string>(
      `getComputedStyle(document.querySelector(${JSON.stringify(selector)})).getPropertyValue('${property}')`,
    );
  /** A colour of the system, as computed. */
  const system = (name: string) =>
    console.page.evaluate<string>(
      `(() => { const probe = document.body.appendChild(document.createElement('i')); probe.style.cssText = 'forced-color-adjust: none; color: ${name}'; const { color } = getComputedStyle(probe); probe.remove(); return color; })()`,
    );

  it('says with lines and the system’s colours what grounds say elsewhere', async () => {
    const { page } = console;
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ forcedColors: 'active', colorScheme });
      await console.open('/accounts');
      await page.getByRole('checkbox', { name: 'Select musa@example.com' }).check();
      const highlight = await system('Highlight');
      expect(highlight).to.not.equal(await system('Canvas'));
      expect(await style('.nav a[aria-current]', 'background-color')).to.equal(highlight);
      expect(await style('.list .badge', 'border-top-width')).to.equal('1px');
      expect(await style('.list .picked td', 'border-bottom-color')).to.equal(highlight);
      await page.keyboard.press('Control+k');
      await page.locator('#commands [aria-selected="true"]').waitFor();
      expect(await style('#commands [aria-selected="true"]', 'background-color')).to.equal(highlight);
      await page.keyboard.press('Escape');
      await console.open(`/accounts/${id}`);
      await page.locator('.timeline ins').first().waitFor();
      expect(await style('.tabs [aria-pressed="true"]', 'background-color')).to.equal(highlight);
      expect(await style('.timeline ins', 'text-decoration-line')).to.equal('underline');
      expect(await style('.timeline del', 'text-decoration-line')).to.equal('line-through');
      await page.getByRole('button', { name: 'Edit Name' }).focus();
      await page.keyboard.press('Shift+Tab');
      await page.keyboard.press('Tab');
      expect(await style(':focus-visible', 'outline-style')).to.equal('solid');
    }
    await page.emulateMedia({ forcedColors: null, colorScheme: null });
  });

  it('begins a name from right to left where the others begin', async () => {
    await console.open('/accounts');
    const name = console.page.locator('bdi', { hasText: RTL_NAME });
    const [own, email] = [
      await name.boundingBox(),
      await console.page.getByText('musa@example.com').boundingBox(),
    ];
    expect(own?.x).to.equal(email?.x);
    await console.expectAccessible();
  });

  it('is mirrored for a language from right to left, and scrolls no view sideways', async () => {
    const { page } = console;
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 740 });
      for (const path of [
        '/overview',
        '/accounts',
        `/accounts/${id}`,
        '/activity',
        '/turned-away',
        '/access',
        '/me',
      ]) {
        await console.open(path);
        await page.locator('main.view h1').waitFor();
        await page.evaluate("document.documentElement.dir = 'rtl'");
        const [overflow, navigation, main] = await page.evaluate<[number, number, number]>(
          "[document.documentElement.scrollWidth - innerWidth, document.querySelector('.side').getBoundingClientRect().right, document.querySelector('main').getBoundingClientRect().right]",
        );
        expect(overflow, path).to.be.at.most(0);
        if (width > 760) expect(main, path).to.be.below(navigation);
      }
    }
  });

  it('gives little room to a box among others that has nothing', async () => {
    const { page } = console;
    await page.setViewportSize({ width: 1280, height: 740 });
    await console.open('/access');
    for (const title of ['No service tokens yet', 'No webhooks are configured']) {
      const state = page.locator('.state').filter({ hasText: title });
      await state.waitFor();
      expect((await state.boundingBox())?.height, title).to.be.below(90);
    }
    await console.expectAccessible();
  });

  it('lets arrows and charts point along the line', async () => {
    const { page } = console;
    await page.setViewportSize({ width: 1280, height: 740 });
    /** Whether all that a selector finds are mirrored, or none. */
    const areMirrored = async (selector: string) => {
      await page.locator(selector).first().waitFor();
      const all = await page
        .locator(selector)
        .evaluateAll((found) =>
          found.map(
            (one) =>
              (
                globalThis as unknown as { getComputedStyle(of: unknown): { transform: string } }
              ).getComputedStyle(one).transform,
          ),
        );
      expect(new Set(all)).to.have.length(1);
      return all[0] === 'matrix(-1, 0, 0, 1, 0, 0)';
    };
    for (const dir of ['ltr', 'rtl']) {
      const isMirrored = dir === 'rtl';
      await console.open(`/accounts/${id}`);
      await page.evaluate(`document.documentElement.dir = '${dir}'`);
      expect(await areMirrored('.back .icon'), 'back').to.equal(isMirrored);
      expect(await areMirrored('.diff dd > [aria-hidden]'), 'before and after').to.equal(isMirrored);
      await console.open('/overview');
      await page.evaluate(`document.documentElement.dir = '${dir}'`);
      expect(await areMirrored('.chart svg'), 'chart').to.equal(isMirrored);
      const chart = page.locator('.chart').first();
      const slider = chart.getByRole('slider');
      const last = await slider.getAttribute('aria-valuetext');
      const { x = 0, y = 0, width = 0 } = (await slider.boundingBox()) ?? {};
      await page.mouse.move(isMirrored ? x + 2 : x + width - 2, y + 20);
      expect(await chart.locator('.axis strong').innerText()).to.equal(last);
      await page.mouse.move(isMirrored ? x + width - 2 : x + 2, y + 20);
      expect(await slider.getAttribute('aria-valuenow')).to.equal('0');
      await page.mouse.move(0, 0);
      // Towards the past.
      await slider.press(isMirrored ? 'ArrowRight' : 'ArrowLeft');
      const at = Number(await slider.getAttribute('aria-valuenow'));
      expect(at).to.equal(Number(await slider.getAttribute('aria-valuemax')) - 1);
    }
  });
});
