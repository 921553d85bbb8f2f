import { type ConsoleMessage, chromium, type Page } from 'playwright-core';

/** The console messages that report a fault. Chromium reports violations of a page's policy there too. */
const COMPLAINTS: readonly ReturnType<ConsoleMessage['type']>[] = ['error', 'warning', 'assert'];

/** A page in a real, headless browser, with a record of its faults. */
export interface WatchedPage {
  readonly page: Page;
  /** Console errors and warnings, uncaught exceptions, violations of the content security policy. */
  readonly complaints: readonly string[];
  /** Returns the complaints so far, and forgets them: they were expected. */
  takeComplaints(): string[];
  /** The URL of each request of the page. Playwright leaves out those of the scheme `data:`. */
  readonly requests: readonly string[];
  /** Ends the browser. */
  close(): Promise<void>;
}

/** Opens a blank page in a browser of its own: the program at `CHROMIUM`, or else Debian's Chromium. */
export async function openPage(): Promise<WatchedPage> {
  const browser = await chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  const page = await (await browser.newContext()).newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => {
    if (COMPLAINTS.includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => requests.push(request.url()));
  return {
    page,
    complaints,
    takeComplaints: () => complaints.splice(0),
    requests,
    close: () => browser.close(),
  };
}
