import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { addAccount } from '../support/accounts.ts';
import {
  ADA,
  CUT_OFF,
  expectNoComplaints,
  openConsole,
  openConsoleOf,
  REFUSED,
  type TestConsole,
} from '../support/console-page.ts';
import type { TestDatabase } from '../support/database.ts';
import { type KillableApp, startKillableApp } from '../support/killable-app.ts';
import { until } from '../support/until.ts';

/** The accounts of a bulk change in three steps. */
const MANY = 2_300;

async function addMany(database: TestDatabase): Promise<void> {
  await database.query("delete from users where email like 'bulk%'");
  await database.query(
    `insert into users (email, name) select 'bulk' || n || '@example.com', 'Bulk ' || n from generate_series(1, ${MANY}) as n`,
  );
}

/** How many of them are suspended, in how many changes, of how many requests. */
async function suspended(database: TestDatabase) {
  const [row] = await database.query<{ accounts: number; changes: number; requests: number }>(
    `select (select count(*)::int from users where email like 'bulk%' and status = 'suspended') as accounts,
            count(*)::int as changes, count(distinct request_id)::int as requests
       from changes join users on users.id = user_id
      where email like 'bulk%' and changes.after ->> 'status' = 'suspended'`,
  );
  return row;
}

/** Selects all of them, and begins to suspend them, once `act` is done. */
async function suspendMany(page: Page, url: string, act?: () => Promise<void>): Promise<void> {
  await page.goto(`${url}/console/accounts?q=bulk`);
  await page.locator('tbody tr[data-id]').first().waitFor();
  await page.getByLabel('Select all that are loaded').check();
  const bar = page.getByRole('region', { name: 'Selected accounts' });
  await bar.getByRole('button', { name: /^Select all 2,30\d/ }).click();
  await bar.getByText(/^2,30\d selected/).waitFor();
  await bar.getByRole('button', { name: 'Suspend' }).click();
  await page.getByText(/accounts will change/).waitFor();
  await act?.();
  await page.getByRole('dialog').getByRole('button', { name: 'Suspend' }).click();
}

/** Undoes what a message offers to undo. */
async function undoAll(page: Page, changes: string): Promise<void> {
  await page.getByRole('button', { name: 'Undo all' }).click();
  await page.getByRole('button', { name: `Undo ${changes} changes` }).click();
  await page.getByText(`${changes} changes undone.`).waitFor();
}

/** Does something before a step of a bulk change is sent, by its number from 1, while that waits. */
async function beforeStep(page: Page, number: number, act: () => Promise<unknown>): Promise<void> {
  let steps = 0;
  await page.route('**/v1/users/bulk', async (route) => {
    if (++steps === number) await act();
    await route.continue();
  });
}

const choose = (page: Page, text: string) =>
  page
    .locator('input[type=file]')
    .setInputFiles({ name: 'people.csv', mimeType: 'text/csv', buffer: Buffer.from(text) });

/** Holds the row of an account. */
async function hold(database: TestDatabase, email: string) {
  const holder = await database.connect();
  await holder.query('begin');
  await holder.query('select from users where email = $1 for update', [email]);
  const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  return {
    /** Resolves once somebody waits for it. */
    waitedFor: () => until('somebody waits', async () => (await database.query(waiting)).length > 0),
    release: () => holder.query('commit'),
  };
}

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('the console whose service is killed and started again, in a real browser', function () {
  this.timeout(180_000);

  let console: TestConsole<KillableApp>;
  let page: Page;

  before(async () => {
    console = await openConsoleOf(await startKillableApp());
    ({ page } = console);
    await addMany(console.app.database);
  });

  after(() => console?.close());

  expectNoComplaints(() => console, REFUSED, CUT_OFF);

  const button = (name: string | RegExp) => page.getByRole('button', { name });

  it('says in the middle of a bulk change what is done, goes on without doing anything twice, and takes all back', async () => {
    const { app } = console;
    const { database } = app;
    // The list has the newest first: this one is in the second step.
    let held: Awaited<ReturnType<typeof hold>> | undefined;
    await suspendMany(page, app.url, async () => {
      held = await hold(database, 'bulk800@example.com');
    });
    const dialog = page.getByRole('dialog');
    await dialog.getByText('1,000 of 2,300').waitFor();
    await held?.waitedFor();
    await app.kill();
    await dialog.getByText('The service does not answer').waitFor();
    await dialog.getByText('1,000 of 2,300').waitFor();
    await dialog.getByText('Going on changes nothing twice').waitFor();
    await console.expectAccessible();
    await held?.release();
    await app.restart();
    await page.getByText('No connection.').waitFor({ state: 'detached' });
    expect(await suspended(database)).to.deep.equal({ accounts: 1_000, changes: 1_000, requests: 1 });
    await dialog.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('2,300 accounts changed').waitFor();
    expect(await suspended(database)).to.deep.equal({ accounts: MANY, changes: MANY, requests: 1 });
    await undoAll(page, '2,300');
    expect(await suspended(database)).to.include({ accounts: 0 });
  });

  it('lets one leave it there, knowing what is done, and take that back', async () => {
    const { app } = console;
    await addMany(app.database);
    // The first step is carried out, and its answer is lost with the service.
    await page.route('**/v1/users/bulk', async (route) => {
      await route.fetch();
      await app.kill();
      await route.abort();
    });
    await suspendMany(page, app.url);
    const dialog = page.getByRole('dialog');
    await dialog.getByText('The service does not answer').waitFor();
    await page.unrouteAll();
    await app.restart();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await page.getByText('Perhaps some accounts changed').waitFor();
    expect(await suspended(app.database)).to.include({ accounts: 1_000 });
    await undoAll(page, '1,000');
    expect(await suspended(app.database)).to.include({ accounts: 0 });
  });

  it('says that an import got no answer, imports once when it is tried again, and takes it back', async () => {
    const { app } = console;
    const { database } = app;
    const lines = Array.from({ length: 6_000 }, (_, n) => `row${n}@example.com,Row ${n}\n`).join('');
    const imported = async () => {
      const [row] = await database.query<{ accounts: number; changes: number }>(
        `select (select count(*)::int from users where email like 'row%') as accounts,
                (select count(*)::int from changes where after ->> 'email' like 'row%') as changes`,
      );
      return row;
    };
    await console.open('/transfer');
    // The last line waits for an account that somebody else holds.
    await choose(page, `email,name\n${lines}${ADA},Ada L.\n`);
    await page.getByText('New accounts (6,000)').waitFor();
    await page.getByRole('radio', { name: /Change them/ }).check();
    await page.getByText('Changes (1)').waitFor();
    const held = await hold(database, ADA);
    await button('Import 6,001').click();
    await held.waitedFor();
    await app.kill();
    await page.getByText('The service does not answer').waitFor();
    await page.getByText('imports nothing twice').waitFor();
    await page.getByText('No connection.').waitFor();
    await console.expectAccessible();
    await held.release();
    await app.restart();
    // Nothing is asked for: the page finds out by itself.
    await page.getByText('No connection.').waitFor({ state: 'detached' });
    expect(await imported()).to.deep.equal({ accounts: 0, changes: 0 });
    // Now it is carried out, and only its answer is lost with the service.
    await page.route('**/v1/users/import*', async (route) => {
      await route.fetch();
      await app.kill();
      await route.abort();
    });
    await button('Try again').click();
    await page.getByText('No connection.').waitFor();
    await page.unrouteAll();
    await app.restart();
    await button('Try again').click();
    await page.getByText('The import is done').waitFor();
    expect(await imported()).to.deep.equal({ accounts: 6_000, changes: 6_000 });
    await button('Take the whole import back…').click();
    await button('Undo 6,001 changes').click();
    await page.getByRole('heading', { name: 'The import is taken back.' }).waitFor();
    expect(await imported()).to.include({ accounts: 0 });
  });
});

describe('the console whose session ends in the middle of something long, in a real browser', function () {
  this.timeout(180_000);

  let console: TestConsole;
  let page: Page;

  before(async () => {
    console = await openConsole();
    ({ page } = console);
    await addMany(console.app.database);
  });

  after(() => console?.close());

  beforeEach(() => console.signIn());

  const endSession = () => console.app.database.query('delete from console_sessions');
  const button = (name: string | RegExp) => page.getByRole('button', { name });

  it('goes on with a bulk change after the next sign-in, and keeps the selection', async () => {
    const { app } = console;
    await beforeStep(page, 2, endSession);
    await suspendMany(page, app.url);
    await page.getByText('Your session has ended').waitFor();
    await console.expectAccessible();
    expect(await page.getByRole('region', { name: 'Selected accounts' }).innerText()).to.include('2,300');
    expect(await suspended(app.database)).to.include({ accounts: 1_000 });
    await console.signInAgain();
    await page.getByText('2,300 accounts changed').waitFor();
    expect(await suspended(app.database)).to.deep.equal({ accounts: MANY, changes: MANY, requests: 1 });
    await endSession();
    await button('Undo all').dispatchEvent('click');
    await console.signInAgain();
    await button('Undo 2,300 changes').waitFor();
    await endSession();
    // Not by the pointer: the live changes may have opened the way in over it already.
    await button('Undo 2,300 changes').dispatchEvent('click');
    await console.signInAgain();
    await page.getByText('2,300 changes undone.').waitFor();
    expect(await suspended(app.database)).to.include({ accounts: 0 });
  });

  it('asks for one sign-in, however late the refusals of what was sent before it arrive', async () => {
    const access = '**/v1/access';
    await console.open('/transfer');
    await endSession();
    const { promise: isSignedIn, resolve: release } = Promise.withResolvers<void>();
    const { promise: isRefused, resolve: refuse } = Promise.withResolvers<number>();
    await page.route(access, async (route) => {
      const response = await route.fetch();
      refuse(response.status());
      await isSignedIn;
      await route.fulfill({ response });
    });
    await page.getByRole('link', { name: 'Turned away' }).dispatchEvent('click');
    expect(await isRefused).to.equal(401);
    await page.getByText('Your session has ended').waitFor();
    // Nothing that would change anything waits.
    expect(await button('Discard what was begun').count()).to.equal(0);
    await console.signInAgain();
    await page.unroute(access);
    release();
    await page.getByText('People who have an account. Nobody else').waitFor();
    expect(await page.getByRole('dialog').count()).to.equal(0);
  });

  it('lets one discard a deletion that waits for the next sign-in', async () => {
    const { database } = console.app;
    const { id } = await addAccount(database, 'kept@example.com');
    await console.open(`/accounts/${id}`);
    await button(/^Delete$/).click();
    const remove = page.getByRole('dialog').getByRole('button', { name: 'Delete' });
    await until('it may be confirmed', () => remove.isEnabled());
    await endSession();
    // As above.
    await remove.dispatchEvent('click');
    const discard = button('Discard what was begun');
    await discard.waitFor();
    await console.expectAccessible();
    await discard.click();
    await page.locator(':focus').filter({ hasText: 'what you began is discarded' }).waitFor();
    expect(await discard.count()).to.equal(0);
    await console.signInAgain();
    await page.getByRole('dialog').getByRole('alert').waitFor();
    expect(await database.query('select id from users where id = $1', [id])).to.have.length(1);
  });

  it('sends a file again that was refused, checked or imported, after the next sign-in', async () => {
    const { app } = console;
    // Larger than what the sockets hold: the refusal comes while it is being sent.
    const lines = Array.from({ length: 60_000 }, (_, n) => `row${n}@example.com,${'Row '.repeat(20)}${n}\n`);
    await console.open('/transfer');
    await endSession();
    await choose(page, `email,name\n${lines.join('')}`);
    await console.signInAgain();
    await page.getByText('New accounts (60,000)').waitFor({ timeout: 90_000 });
    await button('Choose another file').click();
    await choose(page, `email,name\nkatherine@example.com,Katherine\n${ADA},Ada L.\n`);
    await page.getByRole('radio', { name: /Change them/ }).check();
    await page.getByText('Changes (1)').waitFor();
    // The session is there when the import begins, and gone when it would be committed.
    const held = await hold(app.database, ADA);
    await button('Import 2').click();
    await held.waitedFor();
    await endSession();
    await held.release();
    await page.getByText('Your session has ended').waitFor();
    const imported = () => app.database.query("select name from users where email = 'katherine@example.com'");
    expect(await imported()).to.deep.equal([]);
    await console.signInAgain();
    await page.getByText('The import is done').waitFor();
    expect(await imported()).to.deep.equal([{ name: 'Katherine' }]);
  });

  it('saves an export after the next sign-in, with the filters that were chosen', async () => {
    await console.open('/transfer');
    await page.getByLabel('Role').selectOption('Admin');
    await endSession();
    const downloaded = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Download' }).click();
    await console.signInAgain();
    const text = await readFile(await (await downloaded).path(), 'utf8');
    expect(text).to.include(ADA).and.not.include('bulk1@');
  });
});

describe('the console of an admin who loses the role in the middle of a bulk change, in a real browser', function () {
  this.timeout(180_000);

  let console: TestConsole;
  let page: Page;
  let email: string;
  let id: number;

  before(async () => {
    console = await openConsole();
  });

  after(() => console?.close());

  beforeEach('another admin has the console open', async () => {
    await addMany(console.app.database);
    email = `grace${Date.now()}@example.com`;
    ({ id } = await addAccount(console.app.database, email, { role: 'admin' }));
    page = await console.openAnother(email);
  });

  afterEach(() => page.context().close());

  const change = (values: object) => console.patch(`/v1/users/${id}`, values);

  it('says what is done, and by which request, to whoever is demoted', async () => {
    const { app } = console;
    await beforeStep(page, 2, () => change({ role: 'user' }));
    await suspendMany(page, app.url);
    await page.getByRole('heading', { name: 'For admins only' }).waitFor();
    const said = page.getByText('1,000 accounts changed; 1,300 left as they were.');
    await said.waitFor();
    const [request] = await app.database.query<{ id: string }>(
      "select distinct request_id as id from changes where after ->> 'status' = 'suspended' and actor = $1",
      [email],
    );
    expect(await said.innerText()).to.include(request?.id);
    expect(await suspended(app.database)).to.include({ accounts: 1_000 });
  });

  it('goes on after a suspension that was a mistake', async () => {
    const { app } = console;
    await beforeStep(page, 2, () => change({ status: 'suspended' }));
    await suspendMany(page, app.url);
    await page.getByText('Your session has ended').waitFor();
    await change({ status: 'active' });
    await console.signInAgain(page, email);
    await page.getByText('2,300 accounts changed').waitFor();
    expect(await suspended(app.database)).to.deep.equal({ accounts: MANY, changes: MANY, requests: 1 });
  });

  it('changes one’s own account last, so that all others are changed by then', async () => {
    const { app } = console;
    // The newest is the first in the list.
    await change({ name: 'bulk Grace' });
    await suspendMany(page, app.url);
    await page.getByText('2,301 accounts changed').waitFor();
    expect(await suspended(app.database)).to.include({ accounts: MANY });
    expect(await app.database.query('select status from users where id = $1', [id])).to.deep.equal([
      { status: 'suspended' },
    ]);
  });
});
