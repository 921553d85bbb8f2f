import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { findFreePort } from '../../src/database/embedded/start.ts';
import { openApiDocument } from '../../src/http/openapi/document.ts';
import { openPage, type WatchedPage } from '../support/browser.ts';
import { describedEndpoints } from '../support/endpoints.ts';
import { copySources, ROOT, run } from '../support/packed.ts';
import { buildSite, type StaticHost, serveFolder } from '../support/site.ts';
import { StartedPrograms } from '../support/started-program.ts';

/** What the tests ask of a browser. */
interface Window {
  getComputedStyle(element: unknown): { readonly color: string };
}
interface Picture {
  readonly naturalWidth: number;
}

/** The pages that are looked at closely: a guide, one with a wide table, one of the reference. */
const LOOKED_AT = ['/', '/quick-start.html', '/settings.html', '/reference/access.html'];

// Not among the suites of `npm test`, because it needs the packages of site/ and Chromium: `npm run test:site`.
describe('the site of the documentation', function () {
  this.timeout(180_000);

  let folder: string;
  let host: StaticHost;
  let watched: WatchedPage;
  let page: Page;
  let names: string[];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rollcall-site-'));
    const began = performance.now();
    const { isRefused, output } = await buildSite(join(folder, 'site'));
    if (isRefused) throw new Error(output);
    console.log(`      built in ${Math.round((performance.now() - began) / 1_000)} s`);
    names = readdirSync(join(folder, 'site'), { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.html'),
    );
    host = await serveFolder(join(folder, 'site'));
    watched = await openPage();
    page = watched.page;
  });

  after(async () => {
    await watched?.close();
    host?.close();
    await rm(folder, { recursive: true, force: true });
  });

  afterEach('nothing has failed in the browser, and nothing came from elsewhere', () => {
    expect(watched.takeComplaints()).to.deep.equal([]);
    expect(watched.requests.filter((url) => !url.startsWith(`${host.url}/`))).to.deep.equal([]);
  });

  const open = async (path: string, { url } = host) => {
    const response = await page.goto(url + path);
    expect(response?.status(), path).to.equal(200);
    await page.locator('#VPContent').waitFor();
    // Only then is the page what its scripts make of it.
    await page.waitForLoadState('networkidle');
  };

  it('has the types of its own code', () => {
    run(join(ROOT, 'node_modules/.bin/tsc'), ['--project', join(ROOT, 'site')]);
  });

  it('lists the pages as docs/README.md does, and has each of them', async () => {
    const written = [...readFileSync(join(ROOT, 'docs/README.md'), 'utf8').matchAll(/^- \[(.+?)\]\(/gm)];
    await open('/quick-start.html');
    const listed = page.locator('.VPSidebarItem.level-1 > .item .text');
    expect(await listed.allTextContents()).to.deep.equal(written.map(([, title]) => title));
    const links = await page
      .locator('.VPSidebar a')
      .evaluateAll((all) => all.map((link) => (link as unknown as { pathname: string }).pathname));
    expect(links.map((link) => link.slice(1).replace(/\/$/, '/index.html'))).to.include.members(
      names.filter((name) => !/^(?:404|index|documentation)\.html$|^(?:files|reference)\//.test(name)),
    );
  });

  it('has every endpoint and every message of the OpenAPI document, with each refusal', async () => {
    const document = openApiDocument(describedEndpoints());
    const served = await (await fetch(`${host.url}/openapi.json`)).json();
    expect(served).to.deep.equal(JSON.parse(JSON.stringify(document)));
    const operations = Object.entries({ ...document.paths, ...document.webhooks }).flatMap(([path, item]) =>
      Object.keys(item).map((method) => (path.startsWith('/') ? `${method.toUpperCase()} ${path}` : path)),
    );
    await open('/reference/');
    const pages = await page
      .locator('.VPSidebarItem.level-1 > .item a')
      .evaluateAll((all) => all.map((link) => (link as unknown as { pathname: string }).pathname));
    const shown: string[] = [];
    for (const path of pages) {
      await open(path);
      shown.push(...(await page.locator('.operation .endpoint').allInnerTexts()));
      const madeUp = await page.locator('.samples').getByText('"string"').count();
      expect(madeUp, `${path} has examples that nobody has written`).to.equal(0);
    }
    expect(shown.map((text) => text.replace(/\s+/g, ' ').trim()).sort()).to.deep.equal(operations.sort());
    await open('/reference/refusals.html');
    const codes = await page.locator('h3 > code').allInnerTexts();
    expect(codes).to.include.members(['bad_cursor', 'last_admin', 'precondition_failed']);
  });

  it('finds what is searched for, without a server that searches', async () => {
    await open('/');
    await page.keyboard.press('Control+k');
    await page.locator('.VPLocalSearchBox input').fill('undo');
    await page.locator('.VPLocalSearchBox .result', { hasText: 'Undo a change' }).first().click();
    await page.waitForURL(`${host.url}/history-and-undo.html#undo-a-change`);
    await page.getByRole('heading', { name: 'Undo a change' }).waitFor();
  });

  it('has nothing wrong by axe in both themes, and fits a phone', async () => {
    const looks = [
      { colorScheme: 'light', width: 1280 },
      { colorScheme: 'dark', width: 1280 },
      { colorScheme: 'light', width: 360 },
    ] as const;
    for (const path of LOOKED_AT) {
      for (const { colorScheme, width } of looks) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await page.setViewportSize({ width, height: 740 });
        await open(path);
        const { violations } = await new AxeBuilder({ page }).analyze();
        const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
        expect(found, `${path} ${colorScheme} ${width}`).to.deep.equal([]);
      }
    }
    await page.setViewportSize({ width: 1280, height: 740 });
  });

  it('never scrolls sideways', async () => {
    for (const name of names) {
      await page.goto(`${host.url}/${name}`);
      for (const width of [360, 1280]) {
        await page.setViewportSize({ width, height: 740 });
        const needed = await page.evaluate('document.documentElement.scrollWidth');
        expect(needed, `${name} at ${width}`).to.be.at.most(width);
      }
    }
  });

  it('has the colours of the console, and the theme that a reader chooses', async () => {
    const colours = readFileSync(join(ROOT, 'src/console/styles/colours.css'), 'utf8');
    const [, light = '', dark = ''] = /--text: light-dark\((#\w+), (#\w+)\)/.exec(colours) ?? [];
    const colour = () =>
      page
        .locator('.vp-doc p')
        .first()
        .evaluate((paragraph) => (globalThis as unknown as Window).getComputedStyle(paragraph).color);
    await open('/quick-start.html');
    expect(await colour()).to.equal(rgb(light));
    await page
      .getByRole('switch', { name: /dark theme/ })
      .first()
      .click();
    expect(await colour()).to.equal(rgb(dark));
    await open('/access.html');
    expect(await colour()).to.equal(rgb(dark));
    await page.evaluate('localStorage.clear()');
  });

  it('works below a path of a host', async () => {
    const { isRefused, output } = await buildSite(join(folder, 'below'), { base: '/rollcall/' });
    if (isRefused) throw new Error(output);
    const below = await serveFolder(join(folder, 'below'), '/rollcall/');
    try {
      await open('/', below);
      await open('/console.html', below);
      const picture = page.locator('.vp-doc img').first();
      expect(await picture.evaluate((image) => (image as unknown as Picture).naturalWidth)).to.be.above(100);
      await page.getByRole('link', { name: 'Access', exact: true }).first().click();
      await page.waitForURL(`${below.url}/access.html`);
      await page.getByRole('heading', { name: 'Access', level: 1 }).waitFor();
      expect(watched.takeComplaints()).to.deep.equal([]);
      const elsewhere = watched.requests.filter(
        (url) => !url.startsWith(`${below.url}/`) && !url.startsWith(`${host.url}/`),
      );
      expect(elsewhere).to.deep.equal([]);
    } finally {
      below.close();
      (watched.requests as string[]).length = 0;
    }
  });

  it('shows pages while they are written, with the search', async () => {
    const programs = new StartedPrograms();
    const port = await findFreePort();
    const args = ['run', 'site:dev', '--', '--host', '127.0.0.1', '--port', `${port}`];
    const url = `http://127.0.0.1:${port}`;
    try {
      await programs.start('npm', args, { cwd: ROOT, env: process.env }).said(/Local:/);
      // In a page of its own: it loads its code in other ways, and reports them.
      const another = await page.context().newPage();
      await another.goto(`${url}/quick-start.html`);
      await another.getByRole('heading', { name: 'Start the service' }).waitFor();
      await another.locator('.DocSearch-Button').click();
      await another.locator('.VPLocalSearchBox input').fill('undo');
      await another.locator('.VPLocalSearchBox .result', { hasText: 'Undo a change' }).first().waitFor();
      await another.close();
    } finally {
      programs.kill();
    }
  });

  it('is refused where a page is not listed, not there, or links what is not there', async () => {
    const root = join(folder, 'faulty');
    copySources(root, (path) => !/^(?:test|migrations)\//.test(path));
    for (const path of ['node_modules', 'site/node_modules']) symlinkSync(join(ROOT, path), join(root, path));
    const change = (path: string, from: string, to: string) => {
      const before = readFileSync(join(root, path), 'utf8');
      expect(before).to.contain(from);
      writeFileSync(join(root, path), before.replace(from, to));
    };
    writeFileSync(join(root, 'docs/unlisted.md'), '# Unlisted\n');
    change('docs/README.md', '(access.md)', '(excess.md)');
    change('docs/webhooks.md', '\n## ', '\n[a page](nowhere.md), [a file](../config/nowhere.yml)\n\n## ');
    const { isRefused, output } = await buildSite(join(folder, 'refused'), { root });
    expect(isRefused).to.equal(true);
    for (const fault of [
      'docs/unlisted.md is not listed in docs/README.md.',
      'docs/access.md is not listed in docs/README.md.',
      'docs/README.md lists docs/excess.md, which is not there.',
      'docs/README.md links excess.md, which is not there.',
      'docs/webhooks.md links nowhere.md, which is not there.',
      'docs/webhooks.md links ../config/nowhere.yml, which is not there.',
    ])
      expect(output).to.contain(fault);
  });

  it('is refused where a link names a place that is not on the page', async () => {
    // By a name that the compiler does not follow: it needs the packages of site/.
    const program = '../../site/build/check-links.ts';
    const { checkLinks } = (await import(program)) as { checkLinks(folder: string, base: string): void };
    const built = join(folder, 'places');
    mkdirSync(join(built, 'below'), { recursive: true });
    const write = (name: string, html: string) => writeFileSync(join(built, name), html);
    write('index.html', '<a href="/b/below/page.html#there">x</a><h2 id="here"></h2><a href="#here">y</a>');
    write(
      'below/page.html',
      '<p id="there"><a href="../#here">z</a><a href="https://example.com/#x">w</a></p>',
    );
    checkLinks(built, '/b/');
    write('below/page.html', '<a href="../#gone">z</a><img src="gone.png"><a href="/c/">c</a>');
    expect(() => checkLinks(built, '/b/')).to.throw(
      /^The site has dead links:\nindex\.html: \/b\/below\/page\.html#there is no place on that page\nbelow\/page\.html: \.\.\/#gone is no place on that page\nbelow\/page\.html: gone\.png is not there\nbelow\/page\.html: \/c\/ is not under \/b\/$/,
    );
  });
});

/** A colour as a browser reports it. */
function rgb(hex: string): string {
  const digits = hex.length === 4 ? hex.replace(/\w/g, '$&$&') : hex;
  const parts = [1, 3, 5].map((at) => Number.parseInt(digits.slice(at, at + 2), 16));
  return `rgb(${parts.join(', ')})`;
}
