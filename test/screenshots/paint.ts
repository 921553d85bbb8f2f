import type { CDPSession } from 'playwright-core';
import { openConsole } from '../support/console-page.ts';
import { mochaGlobalSetup, mochaGlobalTeardown } from '../support/global.ts';
import { addPeople } from './people.ts';

/**
 * Measures how long the console takes, in a browser with nothing in its cache, until something is painted and until the view has its
 * content, on loopback and on a slow network: `npm run paint`. Needs Chromium, and a machine with nothing else to do. Milliseconds,
 * the median of some runs; the last figure is the layout shift (CLS).
 */
const RUNS = 5;

/** By name, the address of a view and its content. */
const VIEWS = {
  accounts: ['/accounts', 'tbody tr[data-id]'],
  account: ['/accounts/2', '.timeline .event'],
  overview: ['', '.chart svg'],
  activity: ['/activity', '.entry'],
} as const;

type Network = Parameters<CDPSession['send']>[1];

const NETWORKS: Readonly<Record<string, Network>> = {
  loopback: { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 },
  '1.6 Mbit/s, 150 ms': { offline: false, latency: 150, downloadThroughput: 2e5, uploadThroughput: 9e4 },
};

/** Notes in the page when its content is painted, and what has moved. */
const watch = (selector: string) => `
  shift = 0;
  new PerformanceObserver((list) => {
    for (const { hadRecentInput, value } of list.getEntries()) if (!hadRecentInput) shift += value;
  }).observe({ type: 'layout-shift', buffered: true });
  const look = () => requestAnimationFrame(() => {
    if (document.querySelector('${selector}')) requestAnimationFrame(() => { content = performance.now(); });
    else look();
  });
  look();`;

const FIGURES = `[performance.getEntriesByName('first-contentful-paint')[0].startTime, globalThis.content, shift]`;

// Playwright's waiting alone does not keep the process alive.
const alive = setInterval(() => undefined, 1_000);
await mochaGlobalSetup();
const { app, page, close } = await openConsole();
try {
  await addPeople(app);
  const cookies = await page.context().cookies();
  await app.call('/console');
  for (const isKnown of [false, true]) {
    for (const [network, conditions] of Object.entries(NETWORKS)) {
      for (const [name, [path, selector]] of Object.entries(VIEWS)) {
        const runs: number[][] = [];
        while (runs.length < RUNS) {
          const context = await page.context().browser()?.newContext();
          if (!context) throw new Error('The browser is gone.');
          await context.addCookies(cookies);
          // What the console remembers of somebody who was signed in before.
          if (isKnown) await context.addInitScript("localStorage.setItem('rollcall-role', 'admin')");
          await context.addInitScript(watch(selector));
          const fresh = await context.newPage();
          const devtools = await context.newCDPSession(fresh);
          await devtools.send('Network.enable');
          await devtools.send('Network.emulateNetworkConditions', conditions as never);
          await fresh.goto(`${app.url}/console${path}`, { waitUntil: 'commit' });
          await fresh.locator(selector).first().waitFor();
          await fresh.waitForTimeout(1_000);
          runs.push(await fresh.evaluate<number[]>(FIGURES));
          await context.close();
        }
        const [first = 0, content = 0, shift = 0] = [0, 1, 2].map((figure) => median(runs, figure));
        const who = isKnown ? 'was here before' : 'comes first';
        process.stdout.write(
          `${network}, ${who}, ${name}: painted ${first.toFixed()}, content ${content.toFixed()}, shift ${shift.toFixed(4)}\n`,
        );
      }
    }
  }
} finally {
  await close();
  await mochaGlobalTeardown();
  clearInterval(alive);
}

function median(runs: readonly number[][], figure: number): number {
  const all = runs.map((run) => run[figure] ?? 0).sort((a, b) => a - b);
  return all[Math.floor(all.length / 2)] ?? 0;
}
