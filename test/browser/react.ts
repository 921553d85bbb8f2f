import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { CLIENT } from '../../src/http/typescript/client-files.ts';
import { signHs256 } from '../../src/security/hmac.ts';
import { addAccount } from '../support/accounts.ts';
import { SECRET, startApp, type TestApp } from '../support/app.ts';
import { openPage, type WatchedPage } from '../support/browser.ts';
import { until } from '../support/until.ts';

const BOB = 'bob@example.com';

/** An app of somebody else: on an origin of its own, with a bearer token, in React's strict mode. */
const APP = `
import { createElement as h, StrictMode, useState } from 'react';
import { createRoot, hydrateRoot } from 'react-dom/client';
import { createClient } from '${CLIENT}/index.ts';
import { RollcallProvider, useAccount, usePreferences } from '${CLIENT}/react.ts';

const { url, token } = globalThis.SERVICE;
const client = createClient({ baseUrl: url, token: () => token, retries: 0 });

function Account() {
  const { account, error, update } = useAccount();
  if (error && !account) return h('p', { role: 'alert' }, String(error));
  if (!account) return h('p', null, 'Loading');
  return h('p', null,
    h('span', { id: 'who' }, account.email + ' ' + account.name),
    h('button', { onClick: () => update({ name: 'Robert' }) }, 'Rename'));
}

function Preferences() {
  const [preferences, update, { status }] = usePreferences();
  return h('p', null,
    h('span', { id: 'theme' }, String(preferences.theme)),
    h('span', { id: 'status' }, status),
    h('button', { onClick: () => update(({ theme }) => ({ theme: theme === 'dark' ? 'light' : 'dark' })) }, 'Toggle'));
}

function App() {
  const [isShown, setShown] = useState(true);
  return h('main', null,
    h('button', { onClick: () => setShown(!isShown) }, 'Show'),
    isShown && h(Account), isShown && h(Preferences));
}

const provider = { client, account: { pollMs: 300 }, preferences: { debounceMs: 50 } };
const root = document.querySelector('#root');
const app = h(StrictMode, null, h(RollcallProvider, provider, h(App)));
if (root.hasChildNodes()) hydrateRoot(root, app);
else createRoot(root).render(app);
`;

/** What a server renders of it: it knows nothing yet. */
const RENDERED =
  '<main><button>Show</button><p>Loading</p><p><span id="theme">undefined</span><span id="status">loading</span><button>Toggle</button></p></main>';

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('the React hooks of the client, in a real browser', function () {
  this.timeout(120_000);

  let app: TestApp;
  let watched: WatchedPage;
  let server: Server;
  let origin: string;

  before(async () => {
    const { outputFiles } = await build({
      stdin: { contents: APP, resolveDir: import.meta.dirname, loader: 'ts' },
      bundle: true,
      write: false,
      format: 'iife',
      define: { 'process.env.NODE_ENV': '"development"' },
      logLevel: 'warning',
    });
    const script = outputFiles[0]?.text ?? '';
    const page = async (rendered: string) =>
      `<!doctype html><title>App</title><link rel="icon" href="data:,"><div id="root">${rendered}</div>
      <script>globalThis.SERVICE = ${JSON.stringify({ url: app.url, token: await signHs256(SECRET, BOB, '1h') })}</script>
      <script src="/app.js"></script>`;
    server = createServer(async ({ url }, response) => {
      const isScript = url === '/app.js';
      response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html; charset=utf-8');
      response.end(isScript ? script : await page(url === '/rendered' ? RENDERED : ''));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    app = await startApp({ corsOrigins: [origin] });
    await addAccount(app.database, BOB, { name: 'Bob' });
    watched = await openPage();
  });

  after(async () => {
    await watched?.close();
    server?.closeAllConnections();
    server?.close();
    await app?.close();
  });

  const open = async (page: Page = watched.page) => {
    await page.goto(origin);
    await page.locator('#who').waitFor();
    return page;
  };
  const shows = (page: Page, id: string, text: string) =>
    until(`${id}: ${text}`, async () => (await page.locator(`#${id}`).textContent()) === text);
  const stored = async () => {
    const [row] = await app.database.query<{ name: string; preferences: { theme?: string } }>(
      `select name, preferences from users where email = '${BOB}'`,
    );
    return row;
  };
  const click = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

  it('show the account and its preferences, and save what is changed', async () => {
    const page = await open();
    await shows(page, 'who', 'bob@example.com Bob');
    await shows(page, 'status', 'saved');
    await click(page, 'Toggle');
    expect(await page.locator('#theme').textContent()).to.equal('dark');
    await shows(page, 'status', 'saved');
    expect((await stored())?.preferences).to.deep.equal({ theme: 'dark' });
    await click(page, 'Rename');
    await shows(page, 'who', 'bob@example.com Robert');
    expect((await stored())?.name).to.equal('Robert');
    expect(watched.complaints).to.deep.equal([]);
  });

  it('take over a page that a server has rendered, where the browser knows more already', async () => {
    const page = await open();
    await shows(page, 'status', 'saved');
    const theme = (await page.locator('#theme').textContent()) ?? '';
    await page.goto(`${origin}/rendered`);
    await shows(page, 'theme', theme);
    await shows(page, 'status', 'saved');
    expect(watched.complaints).to.deep.equal([]);
  });

  it('show what is changed elsewhere, in another tab too, and stop asking once nobody looks', async () => {
    const page = await open();
    const other = await open(await page.context().newPage());
    await click(other, 'Toggle');
    await shows(page, 'theme', 'light');
    await other.close();
    await app.call('/v1/me', {
      as: BOB,
      method: 'PATCH',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ name: 'Bob', preferences: { theme: 'dark' } }),
    });
    await shows(page, 'who', 'bob@example.com Bob');
    await shows(page, 'theme', 'dark');
    await click(page, 'Show');
    await page.waitForTimeout(400);
    const asked = watched.requests.length;
    await page.waitForTimeout(1_000);
    expect(watched.requests.length).to.equal(asked);
    await click(page, 'Show');
    await shows(page, 'theme', 'dark');
    expect(watched.complaints).to.deep.equal([]);
  });

  it('keep changes while offline, and send them as soon as the browser is back', async () => {
    const page = await open();
    await shows(page, 'theme', 'dark');
    await page.context().setOffline(true);
    await click(page, 'Toggle');
    expect(await page.locator('#theme').textContent()).to.equal('light');
    await shows(page, 'status', 'offline');
    expect((await stored())?.preferences).to.deep.equal({ theme: 'dark' });
    await page.context().setOffline(false);
    await shows(page, 'status', 'saved');
    expect((await stored())?.preferences).to.deep.equal({ theme: 'light' });
    expect(
      watched.takeComplaints().filter((text) => !text.includes('ERR_INTERNET_DISCONNECTED')),
    ).to.deep.equal([]);
  });

  it('keep changes across a reload', async () => {
    const page = await open();
    await page.route('**/v1/me/preferences', (route) => route.abort());
    await click(page, 'Toggle');
    await shows(page, 'status', 'offline');
    await page.unroute('**/v1/me/preferences');
    await page.reload();
    await shows(page, 'theme', 'dark');
    await shows(page, 'status', 'saved');
    expect((await stored())?.preferences).to.deep.equal({ theme: 'dark' });
  });
});
