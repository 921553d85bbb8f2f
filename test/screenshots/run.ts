import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { openConsole } from '../support/console-page.ts';
import { mochaGlobalSetup, mochaGlobalTeardown } from '../support/global.ts';
import { addPeople } from './people.ts';

/** Takes the pictures of the console in the documentation, or those that are named: `npm run screenshots -- accounts me`. Needs Chromium. */
const FOLDER = join(import.meta.dirname, '../../docs/screenshots');

/** A picture: of a view, after what is done there. */
interface Shot {
  readonly name: string;
  readonly path: string;
  /** What must be there before it is taken. */
  readonly shows: string;
  readonly act?: (page: Page) => Promise<unknown>;
  readonly isDark?: boolean;
  readonly isPhone?: boolean;
}

const SHOTS: readonly Shot[] = [
  { name: 'accounts', path: '/accounts', shows: 'tbody tr[data-id]' },
  { name: 'accounts-dark', path: '/accounts', shows: 'tbody tr[data-id]', isDark: true },
  { name: 'accounts-phone', path: '/accounts', shows: 'tbody tr[data-id]', isPhone: true },
  { name: 'palette', path: '/accounts', shows: 'tbody tr[data-id]', act: findSomething },
  { name: 'overview', path: '/overview', shows: 'main.view svg' },
  { name: 'activity', path: '/activity', shows: 'main.view dl.diff' },
  { name: 'turned-away', path: '/turned-away', shows: 'main.view table, main.view li' },
  { name: 'access', path: '/access', shows: 'main.view section' },
  { name: 'import', path: '/transfer', shows: 'main.view section', act: checkFile },
  { name: 'me', path: '/me', shows: 'main.view section' },
];

/** The palette, with views and accounts. */
async function findSomething(page: Page): Promise<void> {
  await page.keyboard.press('Control+k');
  await page.keyboard.type('ac');
  await page.locator('#commands [role="group"]').nth(2).waitFor();
}

/** A directory's file: what its columns become, and what it would do. */
async function checkFile(page: Page): Promise<void> {
  const file = [
    'User Name,First Name,Last Name,Department',
    'grace.hopper@lab.example.org,Grace,Murray Hopper,Navy',
    ...['ada,Ada,Byron', 'hedy,Hedy,Lamarr', 'emmy,Emmy,Noether'].map((line) =>
      line.replace(',', '.new@example.com,').concat(',Research'),
    ),
  ];
  const buffer = Buffer.from(file.join('\n'));
  await page
    .locator('input[type=file]')
    .setInputFiles({ name: 'directory.csv', mimeType: 'text/csv', buffer });
  await page.getByRole('radio', { name: /Change them/ }).check();
  await page.getByText('Columns: 3 of 4 are used').waitFor();
  await page.getByText('Changes (').click();
}

mkdirSync(FOLDER, { recursive: true });
// Playwright's waiting alone does not keep the process alive.
const alive = setInterval(() => undefined, 1_000);
await mochaGlobalSetup();
const { app, page, open, close } = await openConsole();
try {
  await addPeople(app);
  const [changed] = await app.database.query<{ id: number }>(
    `select user_id as id from changes where 'preferences.editor' = any(fields) order by id desc limit 1`,
  );
  const account: Shot = { name: 'account', path: `/accounts/${changed?.id}`, shows: 'main.view dl.diff' };
  const accountDark: Shot = { ...account, name: 'account-dark', isDark: true };
  const named = process.argv.slice(2).filter((name) => !name.startsWith('-'));
  for (const { name, path, shows, act, isDark = false, isPhone = false } of [
    ...SHOTS,
    account,
    accountDark,
  ]) {
    if (named.length > 0 && !named.includes(name)) continue;
    await page.setViewportSize(isPhone ? { width: 360, height: 740 } : { width: 1280, height: 800 });
    await page.emulateMedia({ colorScheme: isDark ? 'dark' : 'light', reducedMotion: 'reduce' });
    await open(path);
    await page.locator(shows).first().waitFor();
    await act?.(page);
    // Whatever loads beside it.
    await page.waitForLoadState('load');
    await page.waitForTimeout(500);
    await page.screenshot({ path: join(FOLDER, `${name}.png`) });
    console.log(`${name}.png`);
  }
} finally {
  await close();
  await mochaGlobalTeardown();
  clearInterval(alive);
}
process.exit();
