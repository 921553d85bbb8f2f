import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { sessionOf } from '../support/authjs.ts';
import { ADA, CUT_OFF, expectNoComplaints, openConsole, type TestConsole } from '../support/console-page.ts';
import { until } from '../support/until.ts';

const HOSTILE = '<img src=x onerror=alert(1)>';

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('the activity in the console, in a real browser', function () {
  this.timeout(120_000);

  let console: TestConsole;
  let grace: { id: number };

  before(async () => {
    console = await openConsole();
    grace = await addAccount(console.app.database, 'grace@example.com', { name: 'Grace Hopper' });
  });

  after(() => console?.close());

  const provoke = expectNoComplaints(() => console);

  const entries = () => console.page.locator('.entry');
  const live = () => console.page.getByTestId('live');

  const patch = async (values: object, id = grace.id) => {
    const answer = await console.patch(`/v1/users/${id}`, values);
    return answer.headers.get('X-Request-Id') ?? '';
  };

  const openLive = async (path = '/activity') => {
    await console.open(path);
    await live()
      .filter({ hasText: /^Live$/ })
      .waitFor();
  };

  it('shows who changed what, from what to what, by which request, and is accessible', async () => {
    const requestId = await patch({ role: 'admin', preferences: { theme: 'dark' } });
    await openLive();
    const entry = entries().first();
    await entry.filter({ hasText: 'grace@example.com' }).waitFor();
    const text = await entry.innerText();
    for (const part of [ADA, 'changed', 'Role', 'User', 'Admin', 'preferences.theme', requestId]) {
      expect(text).to.include(part);
    }
    expect(await entry.getByRole('link', { name: 'grace@example.com' }).getAttribute('href')).to.equal(
      `/console/accounts/${grace.id}`,
    );
    await console.expectAccessible();
    // The day is said once, above its entries, and all of the time on hover.
    await console.page
      .locator('.day')
      .filter({ hasText: /^Today \w+day, / })
      .waitFor();
    const time = entry.locator('time');
    expect(await time.innerText()).to.match(/^\d{1,2}:\d\d\s[AP]M$/);
    expect(await time.getAttribute('title')).to.match(/ \d{4}, .*:\d\d [AP]M\n\d{4}-\d\d-\d\d [\d:]{8} UTC$/);
    // The beginning of the id is on the screen, and all of it on hover and in what is copied.
    const request = entry.getByRole('link', { name: requestId });
    expect(await request.getAttribute('title')).to.include(requestId);
    expect((await request.boundingBox())?.width).to.be.below(90);
    await entry.getByRole('link').first().focus();
    const isFocused = () => request.evaluate((it) => it.matches(':focus-visible'));
    for (let presses = 0; presses < 5 && !(await isFocused()); presses++) {
      await console.page.keyboard.press('Tab');
    }
    expect(await isFocused()).to.equal(true);
    const isCut = () => request.evaluate((it) => it.scrollWidth > it.clientWidth);
    expect(await isCut()).to.equal(false);
    expect((await request.boundingBox())?.height).to.be.below(24);
    await request.blur();
    expect(await isCut()).to.equal(true);
    await request.selectText();
    expect(await console.page.evaluate('String(getSelection())')).to.include(requestId);
  });

  it('says of authors that they changed their own account, and marks each kind of change by an icon', async () => {
    const { app } = console;
    const kinds: Readonly<Record<string, object>> = {
      edit: { name: 'Grace' },
      role: { role: 'user' },
      turnedAway: { status: 'suspended' },
      check: { status: 'active' },
    };
    for (const values of Object.values(kinds)) await patch(values);
    const answer = await app.call('/v1/me/preferences', {
      as: 'grace@example.com',
      method: 'PATCH',
      headers: { 'Content-Type': 'application/merge-patch+json' },
      body: JSON.stringify({ theme: 'system' }),
    });
    expect(answer.status, await answer.text()).to.equal(200);
    await openLive();
    await entries().nth(4).waitFor();
    expect(await entries().first().getByRole('paragraph').first().innerText()).to.equal(
      'grace@example.com changed their own account',
    );
    expect(
      await entries().first().getByRole('link', { name: 'their own account' }).getAttribute('href'),
    ).to.equal(`/console/accounts/${grace.id}`);
    const marks = await console.page
      .locator('.entry .mark path')
      .evaluateAll((paths) => paths.slice(0, 5).map((path) => path.getAttribute('d')));
    expect(new Set(marks)).to.have.length(5);
    await console.expectAccessible();
  });

  it('shows a hostile name as the text that it is', async () => {
    await patch({ name: HOSTILE });
    await openLive();
    await entries().first().filter({ hasText: HOSTILE }).waitFor();
    expect(await console.page.locator('.entry img').count()).to.equal(0);
    await patch({ name: '🦄'.repeat(100) });
    await entries().first().filter({ hasText: '🦄' }).waitFor();
    const isWide = await console.page.evaluate('document.documentElement.scrollWidth > innerWidth');
    expect(isWide).to.equal(false);
  });

  it('lets the change of another admin, in another browser, slide in, and undo it', async () => {
    const { page } = console;
    await openLive();
    await entries().first().waitFor();
    const count = await entries().count();
    const other = await console.openAnother();
    await other.goto(`${console.app.url}/console/activity`);
    await other.locator('.live.on').waitFor();
    await patch({ status: 'suspended' });
    const arrived = page.locator('.entry.new');
    await arrived.filter({ hasText: 'Suspended' }).waitFor();
    expect(await entries().count()).to.equal(count + 1);
    await arrived.getByRole('button', { name: /^Undo/ }).click();
    const dialog = page.getByRole('dialog');
    await dialog.locator('ins').filter({ hasText: 'Active' }).waitFor();
    await console.expectAccessible();
    expect(await dialog.locator('del').innerText()).to.include('Suspended');
    await dialog.getByRole('button', { name: 'Undo' }).click();
    await dialog.waitFor({ state: 'detached' });
    // The undo arrives in both browsers, and the entry that it undoes says so.
    await entries().first().filter({ hasText: 'Undo of change' }).waitFor();
    await other.locator('.entry').first().filter({ hasText: 'Undo of change' }).waitFor();
    await entries().nth(1).getByText('Undone').waitFor();
    await page.getByRole('status').getByText('The change is undone.').waitFor();
    await other.close();
  });

  it('is live by the session of the console, whoever is signed in to an app on the same host', async () => {
    const { app, page } = console;
    const value = await sessionOf({ token: { email: 'grace@example.com' } });
    await page.context().addCookies([{ name: 'authjs.session-token', value, url: app.url }]);
    const answered = page.waitForResponse((response) => response.url().includes('/v1/changes'));
    await console.open('/activity');
    expect((await answered).status()).to.equal(200);
    await page.locator('.live.on').waitFor();
    await page.context().clearCookies({ name: 'authjs.session-token' });
  });

  it('says what has changed since where an undo is refused', async () => {
    const { page } = console;
    await patch({ preferences: { theme: 'light' } });
    await patch({ preferences: { theme: 'sepia' } });
    await openLive();
    provoke(/status of 409/);
    await entries().nth(1).getByRole('button', { name: /^Undo/ }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('preferences.theme', { exact: true }).first().waitFor();
    await dialog.getByText(/have changed since/).waitFor();
    await console.expectAccessible();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    const label = 'document.activeElement.innerText';
    expect(await page.evaluate(label)).to.include('Undo');
  });

  it('does not move what is read: what comes waits while the reader has scrolled down or paused', async () => {
    const { page } = console;
    for (let change = 0; change < 60; change++) await patch({ name: `Grace ${change}` });
    await openLive();
    await entries().nth(49).waitFor({ state: 'attached' });
    await page.mouse.wheel(0, 900);
    // Not by `waitForFunction`, whose later turns the policy refuses: they evaluate a text in the page.
    await until('the scroll', () => page.evaluate('scrollY > 300'));
    const top = (await entries().first().getAttribute('data-id')) ?? '';
    await patch({ name: 'Grace A' });
    await patch({ name: 'Grace B' });
    const button = page.getByRole('button', { name: '2 new changes' });
    await button.waitFor();
    expect(await entries().first().getAttribute('data-id')).to.equal(top);
    await button.click();
    await entries().first().filter({ hasText: 'Grace B' }).waitFor();
    expect(await page.evaluate('scrollY')).to.equal(0);
    await page.getByRole('button', { name: 'Pause' }).click();
    await live().filter({ hasText: 'Paused' }).waitFor();
    await patch({ name: 'Grace C' });
    await page.getByRole('button', { name: '1 new change' }).waitFor();
    expect(await entries().first().innerText()).to.include('Grace B');
    await console.expectAccessible();
    await page.getByRole('button', { name: 'Resume' }).click();
    await entries().first().filter({ hasText: 'Grace C' }).waitFor();
    await live()
      .filter({ hasText: /^Live$/ })
      .waitFor();
  });

  it('loads older changes as one scrolls, to where the history begins', async () => {
    const { page } = console;
    await openLive();
    await page.getByRole('button', { name: 'Show older changes' }).waitFor();
    const end = page.getByText('This is where the history begins.');
    for (let turn = 0; turn < 20 && !(await end.isVisible()); turn++) {
      await page.evaluate('scrollTo(0, document.body.scrollHeight)');
      await page.waitForTimeout(100);
    }
    await end.waitFor();
    expect(await entries().count()).to.be.greaterThan(60);
  });

  it('filters, keeps that in the address, and says how many changes the filters hide', async () => {
    const { page } = console;
    await openLive();
    await page.getByLabel('Field or preference').fill('preferences.theme');
    await page.waitForURL(/field=preferences\.theme/);
    await entries().first().filter({ hasText: 'sepia' }).waitFor();
    await page.getByLabel('Action').selectOption({ label: 'Changed' });
    await page.getByLabel('From').fill('2020-01-01');
    await page.reload();
    await live()
      .filter({ hasText: /^Live$/ })
      .waitFor();
    await entries().first().filter({ hasText: 'sepia' }).waitFor();
    expect(await page.getByLabel('From').inputValue()).to.equal('2020-01-01');
    await patch({ name: 'Grace Hopper' });
    await page.getByText('1 new change does not match the filters').waitFor();
    expect(await entries().first().innerText()).to.include('sepia');
    await patch({ preferences: { theme: 'dark' } });
    await entries().first().filter({ hasText: '"dark"' }).waitFor();
    await page.getByLabel('To').fill('2020-01-31');
    await page.getByText('No change matches').waitFor();
    await console.expectAccessible();
    await page.getByRole('button', { name: 'Clear filters' }).first().click();
    await entries().filter({ hasText: 'Grace Hopper' }).first().waitFor();
    expect(new URL(page.url()).search).to.equal('');
    provoke(/status of 400/);
    const field = page.getByLabel('Field or preference');
    await field.fill('shoe size');
    await page.getByText('or a path such as preferences.theme.').waitFor();
    expect(await field.getAttribute('aria-invalid')).to.equal('true');
    expect(await entries().count()).to.equal(0);
    await console.expectAccessible();
    // The field stays as it is being typed in.
    await field.pressSequentially('s');
    await page.getByText('shoe sizes').waitFor();
    await field.fill('name');
    await entries().filter({ hasText: 'Grace Hopper' }).first().waitFor();
    expect(await field.getAttribute('aria-invalid')).to.equal(null);
  });

  it('names accounts whose entries do not say their email', async () => {
    await patch({ name: 'Somebody' });
    await openLive('/activity?field=name&action=updated');
    await entries().first().getByRole('link', { name: 'grace@example.com' }).waitFor();
    await openLive(`/activity?account=${grace.id}`);
    await console.page.getByText('Account grace@example.com').waitFor();
    await console.page.setViewportSize({ width: 360, height: 740 });
    expect(await console.page.evaluate('document.documentElement.scrollWidth')).to.be.at.most(360);
    await console.expectAccessible();
    await console.page.setViewportSize({ width: 1280, height: 720 });
  });

  it('says of an account that is gone what it was called, or that it is erased', async () => {
    const { app, page } = console;
    const [deleted, erased] = [
      await addAccount(app.database, 'gone@example.com'),
      await addAccount(app.database, 'nobody@example.com'),
    ];
    for (const { id } of [deleted, erased]) {
      await patch({ name: 'Passing' }, id);
      const gone = await app.call(`/v1/users/${id}`, { as: ADA, method: 'DELETE' });
      expect(gone.status).to.equal(204);
    }
    await app.database.query(
      'update changes set before = null, after = null, erased_at = now() where user_id = $1',
      [erased.id],
    );
    await openLive('/activity?action=updated');
    const of = (id: number) => entries().filter({ has: page.locator(`a[href$="/accounts/${id}"]`) });
    await page.getByText('gone@example.com').waitFor();
    await page.getByText('erased account').waitFor();
    expect(await of(deleted.id).getByRole('paragraph').first().innerText()).to.equal(
      `${ADA} changed gone@example.com (deleted)`,
    );
    expect(await of(erased.id).getByRole('paragraph').first().innerText()).to.equal(
      `${ADA} changed erased account ${erased.id}`,
    );
    await console.expectAccessible();
  });

  it('says when changes no longer arrive, and catches up once they do', async () => {
    const { page } = console;
    await openLive();
    const first = await entries().first().getAttribute('data-id');
    provoke(CUT_OFF);
    await page.route('**/v1/changes*', (route) => route.abort());
    await page.reload();
    await live().filter({ hasText: 'Not live' }).waitFor();
    // Otherwise the change might be among them.
    await entries().first().waitFor();
    await console.expectAccessible();
    await patch({ name: 'Unheard' });
    expect(await entries().first().getAttribute('data-id')).to.equal(first);
    await page.unroute('**/v1/changes*');
    await live()
      .filter({ hasText: /^Live$/ })
      .waitFor();
    await entries().first().filter({ hasText: 'Unheard' }).waitFor();
  });

  it('misses nothing that the filters show while thousands of others arrive at once', async () => {
    const { page, app } = console;
    await patch({ name: 'Before the others' });
    const newest = await app.call(`/v1/users/${grace.id}/history?limit=1`, { as: ADA });
    const { items } = (await newest.json()) as { items: [{ id: number }] };
    const [one] = items;
    const events = Array.from({ length: 1_000 }, (_, place) => {
      const isLast = place === 999;
      const change = { ...one, id: one.id + 1_000_000 + place, actor: isLast ? 'rosa@example.com' : ADA };
      return `event: change\ndata: ${JSON.stringify(change)}\n\n`;
    });
    await page.route('**/v1/changes*', (route) =>
      route.fulfill({ contentType: 'text/event-stream', body: `retry: 60000\n\n${events.join('')}` }),
    );
    await console.open('/activity?actor=rosa%40example.com');
    await page.getByText('999 new changes do not match').waitFor();
    await entries().filter({ hasText: 'rosa@example.com' }).waitFor();
    await page.unroute('**/v1/changes*');
  });

  it('shows what arrives while a page is under way once that is there, and waits for it without a timer', async () => {
    const { page } = console;
    await openLive();
    const { promise: isHeld, resolve: hold } = Promise.withResolvers<void>();
    const { promise: isOver, resolve: release } = Promise.withResolvers<void>();
    await page.route('**/v1/history?*', async (route) => {
      const response = await route.fetch();
      hold();
      await isOver;
      await route.fulfill({ response });
    });
    await page.getByLabel('Action').selectOption({ label: 'Changed' });
    await isHeld;
    await page.evaluate(`
      timers = 0;
      start = setTimeout;
      setTimeout = (run, ms) => {
        if (ms === 120) timers++;
        return start(run, ms);
      }`);
    await patch({ name: 'While it loads' });
    await until('it has arrived', async () => (await page.evaluate<number>('timers')) > 0);
    // As long as several turns of a timer take.
    await page.evaluate('new Promise((done) => start(done, 1_000))');
    expect(await page.evaluate('timers')).to.equal(1);
    release();
    await entries().first().filter({ hasText: 'While it loads' }).waitFor();
  });

  it('shows a bulk change as a whole, and lets at most ten entries slide in at once', async () => {
    const { page, app } = console;
    await openLive();
    await entries().first().waitFor();
    await page.evaluate(`
      globalThis.mostSliding = 0;
      new MutationObserver(() => {
        mostSliding = Math.max(mostSliding, document.querySelectorAll('.entry.new').length);
      }).observe(document.querySelector('ol'), { subtree: true, childList: true, attributes: true });
    `);
    const added = await app.database.query<{ id: number }>(
      "insert into users (email) select 'slide' || n || '@example.com' from generate_series(1, 60) as n returning id",
    );
    const changed = await app.call('/v1/users/bulk', {
      as: ADA,
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ ids: added.map(({ id }) => id), status: 'suspended' }),
    });
    expect(changed.status, await changed.text()).to.equal(200);
    const history = await app.call('/v1/history?limit=50', { as: ADA });
    const { items } = (await history.json()) as { items: readonly { id: number }[] };
    const newest = items.map(({ id }) => `${id}`);
    await until('the newest entries', async () => {
      const listed = await entries().evaluateAll((all) => all.map((entry) => entry.getAttribute('data-id')));
      return newest.every((id, place) => listed[place] === id);
    });
    expect(await page.evaluate('mostSliding')).to.be.at.most(10);
  });

  it('undoes everything that one import has changed, but for what has changed since and what the app points at', async () => {
    const { page, app } = console;
    const lines = ['rosa', 'kate', 'vera', 'uma'].map((name) =>
      JSON.stringify({ email: `${name}@example.com` }),
    );
    const imported = await app.call('/v1/users/import', {
      as: ADA,
      method: 'POST',
      headers: { 'Content-Type': 'application/x-ndjson' },
      body: lines.join('\n'),
    });
    expect(imported.status, await imported.clone().text()).to.equal(200);
    const [{ id: vera } = { id: 0 }] = await app.database.query<{ id: number }>(
      `select id from users where email = 'vera@example.com'`,
    );
    await patch({ name: 'Vera' }, vera);
    await app.database.query(`
      create table items (owner_id int references users);
      insert into items select id from users where email = 'uma@example.com'`);
    await openLive();
    const rosa = entries().filter({ hasText: 'rosa@example.com' });
    await rosa.getByTitle('Only changes of this request').click();
    await page.waitForURL(/request=/);
    await entries().nth(4).waitFor({ state: 'detached' });
    expect(await entries().count()).to.equal(4);
    await page.getByRole('button', { name: 'Undo the whole request' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('2 accounts are deleted.').waitFor();
    await dialog.getByText('2 changes cannot be undone').waitFor();
    await dialog
      .getByRole('listitem')
      .filter({ hasText: 'uma@example.com' })
      .getByText('tables of the app point at the account')
      .waitFor();
    const run = dialog.getByRole('button', { name: 'Undo 2 changes' });
    expect(await run.isDisabled()).to.equal(true);
    await console.expectAccessible();
    await dialog.getByText('Each change').click();
    await dialog.locator('del').filter({ hasText: 'rosa@example.com' }).waitFor();
    await dialog.getByLabel('Undo the others all the same').check();
    await run.click();
    await dialog.waitFor({ state: 'detached' });
    const emails = () =>
      app.database.query<{ email: string }>(
        "select email from users where email not like 'slide%' order by id",
      );
    expect((await emails()).map(({ email }) => email)).to.deep.equal([
      ADA,
      'grace@example.com',
      'vera@example.com',
      'uma@example.com',
    ]);
    // And back, from the message.
    await page.getByRole('status').getByText('2 changes undone.').waitFor();
    await page.getByRole('button', { name: 'Undo', exact: true }).click();
    await dialog.getByText('2 accounts come back.').waitFor();
    await dialog.getByRole('button', { name: 'Undo 2 changes' }).click();
    for (let count = 0; count < 6; ) {
      count = (await emails()).length;
      await page.waitForTimeout(100);
    }
  });

  it('can be used with the keyboard alone', async () => {
    const { page } = console;
    await patch({ name: 'Grace one' });
    await patch({ name: 'Grace two' });
    await openLive('/activity?action=updated');
    await entries().first().waitFor();
    await page.getByRole('button', { name: 'Pause' }).focus();
    await page.keyboard.press('Enter');
    await live().filter({ hasText: 'Paused' }).waitFor();
    await page.keyboard.press('Enter');
    await live()
      .filter({ hasText: /^Live$/ })
      .waitFor();
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.className')).to.equal('actor');
    // Nothing moves under the one who goes through the list.
    await patch({ name: 'Grace with keys' });
    await page.getByRole('button', { name: '1 new change' }).waitFor();
    expect(await page.evaluate('document.activeElement.className')).to.equal('actor');
    const at = `document.activeElement.closest('.entry').dataset.id`;
    const first = Number(await page.evaluate(at));
    await page.keyboard.press('j');
    expect(Number(await page.evaluate(at))).to.be.lessThan(first);
    await page.keyboard.press('k');
    expect(Number(await page.evaluate(at))).to.equal(first);
    // The entry at hand may have changed since, which the dialog says.
    provoke(/status of 409/);
    await page.keyboard.press('u');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('p');
    await live().filter({ hasText: 'Paused' }).waitFor();
    await page.keyboard.press('p');
    await entries().first().filter({ hasText: 'Grace with keys' }).waitFor();
    await page.keyboard.press('/');
    expect(await page.evaluate('document.activeElement.type')).to.equal('search');
  });
});
