import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { preferenceRules } from '../../src/services/accounts/preferences-schema.ts';
import { addAccount } from '../support/accounts.ts';
import {
  ADA,
  CUT_OFF,
  expectNoComplaints,
  openConsole,
  REFUSED,
  type TestConsole,
} from '../support/console-page.ts';
import { until } from '../support/until.ts';

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('one account in the console, in a real browser', function () {
  this.timeout(120_000);

  let console: TestConsole;
  let page: Page;
  let id: number;

  before(async () => {
    console = await openConsole();
    page = console.page;
  });

  after(() => console?.close());

  let count = 0;
  let email: string;

  beforeEach(async () => {
    email = `grace${++count}@example.com`;
    ({ id } = await addAccount(console.app.database, email, {
      name: 'Grace Hopper',
      preferences: { theme: 'light', editor: { tabs: 2 } },
    }));
    await console.open(`/accounts/${id}`);
    await page.getByRole('heading', { name: 'Timeline' }).waitFor();
  });

  expectNoComplaints(() => console, REFUSED, CUT_OFF);

  /** Changes the account as somebody else does. */
  const change = (values: object) => console.patch(`/v1/users/${id}`, values);
  /** Deletes it, likewise. */
  const remove = async () => {
    const answer = await console.app.call(`/v1/users/${id}`, { as: ADA, method: 'DELETE' });
    expect(answer.status).to.equal(204);
  };
  const stored = async () => {
    const [row] = await console.app.database.query<Record<string, unknown>>(
      'select * from users where id = $1',
      [id],
    );
    return row ?? {};
  };
  const row = (field: string) => page.locator('.field-row').filter({ hasText: field }).first();
  const edit = (field: string) => page.getByRole('button', { name: `Edit ${field}` });
  const heading = (name: string) => page.getByRole('heading', { level: 1, name });
  const entries = () => page.locator('.event');
  const dialog = () => page.getByRole('dialog');

  it('edits a field in place by the keyboard, says so, and offers to undo it', async () => {
    await edit('Name').focus();
    await page.keyboard.press('Enter');
    await page.keyboard.type('Grace B. Hopper');
    await page.keyboard.press('Enter');
    await heading('Grace B. Hopper').waitFor();
    expect((await stored())['name']).to.equal('Grace B. Hopper');
    expect(await page.locator(':focus').getAttribute('aria-label')).to.equal('Edit Name');
    await entries().nth(1).waitFor();
    expect(await entries().first().innerText()).to.match(/Changed.*Grace Hopper.*→.*Grace B\. Hopper/s);
    await console.expectAccessible();

    await page.locator('.toast').getByRole('button', { name: 'Undo' }).click();
    await dialog().getByText('This is what will change').waitFor();
    expect(await dialog().innerText()).to.match(/Grace B\. Hopper.*→.*Grace Hopper/s);
    await console.expectAccessible();
    await dialog().getByRole('button', { name: 'Undo', exact: true }).click();
    await heading('Grace Hopper').waitFor();
    await entries().nth(2).waitFor();
    expect(await entries().first().innerText()).to.include('undoes change');
    expect((await stored())['name']).to.equal('Grace Hopper');
  });

  it('shows what is wrong with a value at its field, and takes Esc for no', async () => {
    await edit('Email').click();
    const input = page.getByLabel('Email', { exact: true });
    await input.fill('nonsense');
    await page.keyboard.press('Enter');
    await row('Email').getByText('This is not a valid email address.').waitFor();
    expect(await input.getAttribute('aria-invalid')).to.equal('true');
    await input.fill(ADA);
    await page.keyboard.press('Enter');
    await row('Email').getByText('An account with this email already exists.').waitFor();
    await console.expectAccessible();
    await page.keyboard.press('Escape');
    await edit('Email').waitFor();
    expect((await stored())['email']).to.equal(email);
  });

  it('shows the change of another browser as it happens, and lets both sides of a conflict become one', async () => {
    const other = await page.context().newPage();
    try {
      await other.goto(page.url());
      await other.getByRole('button', { name: 'Edit Name' }).click();
      await edit('Name').click();
      await page.getByLabel('Name', { exact: true }).fill('Grace Murray');

      // Another field is not in the way of what is being typed.
      await other.getByRole('button', { name: 'Edit Storage' }).click();
      await other.getByLabel('Storage', { exact: true }).selectOption('account');
      await other
        .locator('form')
        .filter({ hasText: 'Storage' })
        .getByRole('button', { name: 'Save' })
        .click();
      await row('Storage').getByText('Account', { exact: true }).waitFor();
      expect(await page.locator('.conflict').count()).to.equal(0);

      await other.getByLabel('Name', { exact: true }).fill('Rear Admiral Hopper');
      await other.keyboard.press('Enter');
      await heading('Rear Admiral Hopper').waitFor();
      const conflict = page.locator('.conflict');
      await conflict.waitFor();
      expect(await conflict.innerText()).to.match(/Theirs.*Rear Admiral Hopper.*Mine.*Grace Murray/s);
      await console.expectAccessible();
      await page.getByLabel('Name', { exact: true }).fill('Rear Admiral Grace Murray Hopper');
      await conflict.getByRole('button', { name: 'Save mine' }).click();
      await other.getByRole('heading', { level: 1, name: 'Rear Admiral Grace Murray Hopper' }).waitFor();
      expect(await stored()).to.include({
        name: 'Rear Admiral Grace Murray Hopper',
        storage_mode: 'account',
      });
    } finally {
      await other.close();
    }
  });

  it('shows each answer of a service that is slower than the changes come', async () => {
    const releases: (() => void)[] = [];
    await page.route(`**/v1/users/${id}`, async (route) => {
      const response = await route.fetch();
      await new Promise<void>((release) => releases.push(release));
      await route.fulfill({ response });
    });
    const answer = async (number: number) => {
      await until('it is asked for', async () => releases.length === number);
      releases.at(-1)?.();
    };
    await change({ name: 'Asked for' });
    await until('it is asked for', async () => releases.length === 1);
    await change({ name: 'Meanwhile' });
    await entries().first().filter({ hasText: 'Meanwhile' }).waitFor();
    await answer(1);
    await heading('Asked for').waitFor();
    await answer(2);
    await heading('Meanwhile').waitFor();
  });

  it('refuses to overwrite a change that it has not been told of', async () => {
    // Without its stream, the page knows nothing of what others do.
    await page.route('**/v1/changes*', (route) => route.abort());
    await page.reload();
    await edit('Name').click();
    await page.getByLabel('Name', { exact: true }).fill('Mine');
    await change({ name: 'Theirs', status: 'suspended' });
    await page.keyboard.press('Enter');
    await page.locator('.conflict').getByText('Theirs').first().waitFor();
    expect((await stored())['name']).to.equal('Theirs');
    await page.locator('.conflict').getByRole('button', { name: 'Keep theirs' }).click();
    await heading('Theirs').waitFor();
    await page.unroute('**/v1/changes*');
  });

  it('goes through time by the keyboard, and says what is different now', async () => {
    await change({ name: 'Second', preferences: { theme: 'dark' } });
    await change({ name: 'Third' });
    await entries().nth(2).waitFor();
    const slider = page.getByRole('slider', { name: 'Point in time' });
    await slider.focus();
    await page.keyboard.press('ArrowLeft');
    const past = page.locator('.past');
    await past.getByText('Second').first().waitFor();
    await page.keyboard.press('Home');
    await past.getByText('"light"').first().waitFor();
    expect(await slider.getAttribute('aria-valuetext')).to.include('version 1');
    expect(await past.innerText()).to.match(/different now.*Grace Hopper.*→.*Third.*"light".*→.*"dark"/s);
    expect(new URL(page.url()).searchParams.get('at')).to.equal('2020-01-02T03:04:05.678Z');
    await console.expectAccessible();
    await page.reload();
    await past.getByText('Grace Hopper').first().waitFor();
    await page.getByRole('button', { name: 'Back to now' }).click();
    await past.waitFor({ state: 'detached' });
    await edit('Name').waitFor();
  });

  it('says before an undo what has changed since', async () => {
    await change({ name: 'Second' });
    await change({ name: 'Third' });
    await entries().nth(2).waitFor();
    await entries().nth(1).getByRole('button', { name: 'Undo' }).click();
    await dialog().getByText('values have changed since').waitFor();
    await dialog().getByRole('list', { name: 'Later changes' }).getByText('Third').waitFor();
    expect(await dialog().getByRole('button', { name: 'Undo', exact: true }).isDisabled()).to.equal(true);
    await console.expectAccessible();
    await page.keyboard.press('Escape');
    await dialog().waitFor({ state: 'detached' });
    expect((await stored())['name']).to.equal('Third');
  });

  it('shows a deleted account with its history, and restores it', async () => {
    await remove();
    await page.getByText('This account was deleted').waitFor();
    await console.expectAccessible();
    await page.reload();
    await page.getByRole('button', { name: 'Restore the account' }).click();
    await dialog().getByText('comes back').waitFor();
    await dialog().getByRole('button', { name: 'Restore', exact: true }).click();
    await edit('Name').waitFor();
    expect(await stored()).to.include({ name: 'Grace Hopper', version: 3 });
  });

  it('lets the role of an admin end by itself', async () => {
    expect(await edit('Admin until').count()).to.equal(0);
    await change({ role: 'admin' });
    await edit('Admin until').click();
    const until = page.getByLabel('Admin until', { exact: true });
    await until.fill('2020-01-01T00:00:00');
    await page.keyboard.press('Enter');
    await page.locator('.field .fault').getByText('Must be in the future.').waitFor();
    await console.expectAccessible();
    await until.fill('2090-01-31T12:00:00');
    await page.keyboard.press('Enter');
    await page.locator('header').getByText('until').waitFor();
    const { role_until: end } = await stored();
    // In the time zone of the browser, which is that of this process.
    expect((end as Date).getTime()).to.equal(new Date('2090-01-31T12:00:00').getTime());
    await entries().first().getByText('Admin until').waitFor();
    await console.open('/accounts?role=admin');
    await page.getByRole('row', { name: /grace.* until Jan 31, 2090/ }).waitFor();
    await console.expectAccessible();
    await page.goBack();
    await edit('Admin until').click();
    await until.fill('');
    await page.keyboard.press('Enter');
    await page.getByText('No end').waitFor();
    expect((await stored())['role_until']).to.equal(null);
    await change({ role: 'user' });
  });

  it('keeps what is typed while the service does not answer', async () => {
    await edit('Name').click();
    await page.getByLabel('Name', { exact: true }).fill('Grace B. Hopper');
    const users = `**/v1/users/${id}`;
    await page.route(users, (route) => route.abort());
    await page.keyboard.press('Enter');
    await page.locator('.field .fault').getByText('The service does not answer').waitFor();
    await page.unroute(users);
    await page.keyboard.press('Enter');
    await heading('Grace B. Hopper').waitFor();
  });

  it('keeps the older changes that are shown when changes arrive again after a while, with those that were missed', async () => {
    for (let step = 0; step < 40; step++) await change({ preferences: { step } });
    await page.route('**/v1/changes*', (route) => route.abort());
    await console.open(`/accounts/${id}`);
    const older = page.getByRole('button', { name: 'Show older changes' });
    await older.click();
    await older.waitFor({ state: 'detached' });
    expect(await entries().count()).to.equal(41);
    await change({ name: 'Heard later' });
    await page.unroute('**/v1/changes*');
    await heading('Heard later').waitFor();
    await entries().nth(41).waitFor();
    // The text of the document: the browser does not draw what is that far above.
    expect(await entries().first().textContent()).to.include('Heard later');
  });

  describe('with a long history', () => {
    const slider = () => page.getByRole('slider', { name: 'Point in time' });
    const past = () => page.locator('.past');
    const LAST = 141;
    const OLDER = /\/history\?.*cursor=/;

    beforeEach(async () => {
      for (let step = 2; step <= LAST; step++) await change({ preferences: { step } });
      await console.open(`/accounts/${id}`);
      await page.getByRole('button', { name: 'Show older changes' }).waitFor();
      expect(await entries().count()).to.equal(30);
    });

    /** Notes each place that the slider has from now on. */
    const watchSlider = () =>
      page.evaluate(`
        places = [];
        (function look() {
          const { value } = document.querySelector('.travel input');
          if (places.at(-1) !== value) places.push(value);
          requestAnimationFrame(look);
        })()`);
    const places = () => page.evaluate<string[]>('places');

    it('goes to the beginning by one key, loads what is between, and stays where it is meanwhile', async () => {
      let letGo = () => {};
      const held = new Promise<void>((done) => {
        letGo = done;
      });
      await page.route(OLDER, async (route) => {
        await held;
        await route.continue();
      });
      await slider().focus();
      await watchSlider();
      await page.keyboard.press('Home');
      await page.locator('.travel').getByText('Version 1', { exact: true }).waitFor();
      expect(await slider().getAttribute('aria-valuetext')).to.equal('Version 1: loading older changes…');
      await console.expectAccessible();
      letGo();
      await past().getByText('"light"').first().waitFor();
      expect(await slider().getAttribute('aria-valuetext')).to.include('version 1,');
      expect(await entries().count()).to.equal(LAST);
      await page.keyboard.press('ArrowRight');
      await past().locator('dd').getByText('2', { exact: true }).first().waitFor();
      expect(await places()).to.deep.equal([`${LAST}`, '1', '2']);
    });

    it('can be dragged into what is not loaded yet, and stays under the pointer', async () => {
      const box = (await slider().boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
      const y = box.y + box.height / 2;
      await page.mouse.move(box.x + box.width - 8, y);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width / 2, y);
      await watchSlider();
      const [middle = ''] = await places();
      expect(Number(middle)).to.be.within(LAST / 2 - 5, LAST / 2 + 5);
      await past().getByText(middle, { exact: true }).first().waitFor();
      await page.mouse.move(box.x + box.width / 2 + 1, y);
      await page.mouse.up();
      const seen = await places();
      for (const place of seen) expect(Number(place)).to.be.closeTo(Number(middle), 2);
    });

    it('shows a time that is older than the first page without loading what is between', async () => {
      await console.open(`/accounts/${id}?at=2020-01-02T03:04:05.678Z`);
      await past().getByText('"light"').first().waitFor();
      await page.locator('.travel').getByText('before the changes shown').waitFor();
      expect(await slider().getAttribute('aria-valuetext')).to.equal('before the changes shown');
      expect(await slider().inputValue()).to.equal(`${LAST - 29}`);
      expect(await entries().count()).to.equal(30);
      await console.expectAccessible();
      // From there, the slider goes on.
      await slider().press('ArrowLeft');
      await until('the change', async () =>
        (await slider().getAttribute('aria-valuetext'))?.includes(`version ${LAST - 30},`),
      );
      expect(await entries().count()).to.equal(130);
    });

    it('tries again where older changes could not be loaded, and goes nowhere once another time is chosen', async () => {
      await page.route(OLDER, (route) => route.abort());
      await slider().focus();
      await page.keyboard.press('Home');
      await page.locator('.timeline').getByText('The service does not answer').waitFor();
      expect(await slider().getAttribute('aria-valuetext')).to.equal('Version 1');
      expect(await page.locator('.travel').getAttribute('aria-busy')).to.equal('false');
      await page.unroute(OLDER);
      // No browser says that a service can be reached again: the page finds out by itself.
      await past().getByText('"light"').first().waitFor();

      await page.route(OLDER, (route) => route.abort());
      await console.open(`/accounts/${id}`);
      await slider().focus();
      await page.keyboard.press('Home');
      await page.locator('.timeline').getByText('The service does not answer').waitFor();
      await entries().nth(1).getByRole('button', { name: 'As it was' }).click();
      await past()
        .getByText(`${LAST - 1}`, { exact: true })
        .first()
        .waitFor();
      expect(await slider().inputValue()).to.equal(`${LAST - 1}`);
      await page.unroute(OLDER);
      // One page more, and no further ones.
      await entries().nth(129).waitFor();
      expect(await entries().count()).to.equal(130);
      expect(await slider().inputValue()).to.equal(`${LAST - 1}`);
    });
  });

  it('loads a thousand older changes for the slider, and more once they are asked for', async () => {
    const LAST = 1_201;
    await console.app.database.query(
      `with recorded as (
         insert into changes (at, actor, user_id, action, before, after, fields, version)
         select now() - interval '1 day' + n * interval '1 second', 'test', $1, 'updated',
                jsonb_build_object('name', n - 1), jsonb_build_object('name', n), '{name}', n
           from generate_series(2, ${LAST}) as n
       )
       update users set version = ${LAST} where id = $1`,
      [id],
    );
    await console.open(`/accounts/${id}`);
    const travel = page.locator('.travel');
    const slider = page.getByRole('slider', { name: 'Point in time' });
    await slider.press('Home');
    const more = travel.getByRole('button', { name: 'Show older changes' });
    await more.waitFor();
    expect(await entries().count()).to.equal(1_030);
    expect(await slider.getAttribute('aria-valuetext')).to.equal('Version 1');
    expect(await slider.inputValue()).to.equal('1');
    expect(await travel.getAttribute('aria-busy')).to.equal('false');
    await more.click();
    expect(await slider.evaluate((it) => it === it.ownerDocument.activeElement)).to.equal(true);
    await page.locator('.past').getByText('"light"').first().waitFor();
    expect(await entries().count()).to.equal(LAST);
    // What is out of sight is not drawn.
    const drawing = await entries()
      .last()
      .evaluate((it) => it.ownerDocument.defaultView?.getComputedStyle(it).contentVisibility);
    expect(drawing).to.equal('auto');
  });

  it('takes a save for done whose answer got lost', async () => {
    await edit('Name').click();
    await page.getByLabel('Name', { exact: true }).fill('Grace B. Hopper');
    const users = `**/v1/users/${id}`;
    await page.route(users, async (route) => {
      if (route.request().method() === 'PATCH') await route.fetch();
      await route.abort();
    });
    await page.keyboard.press('Enter');
    await page.locator('.field .fault').getByText('The service does not answer').waitFor();
    await page.unroute(users);
    await page.keyboard.press('Enter');
    await heading('Grace B. Hopper').waitFor();
    await edit('Name').waitFor();
    expect(await stored()).to.include({ name: 'Grace B. Hopper', version: 2 });
  });

  it('says of an erased account that nothing of it is left', async () => {
    await remove();
    await console.app.database.query(
      'update changes set before = null, after = null, erased_at = now() where user_id = $1',
      [id],
    );
    await page.reload();
    await page.getByText('its values were erased').waitFor();
    await page.getByText('The values were erased.').first().waitFor();
    expect(await page.getByRole('button', { name: /Restore|Undo/ }).count()).to.equal(0);
    await page.getByRole('button', { name: 'As it was' }).last().click();
    await page.getByText('The values of that time were erased.').waitFor();
    await console.expectAccessible();
  });

  it('edits preferences as a tree, and shows what will change before it saves that', async () => {
    const box = page.locator('.preferences');
    await edit('Preferences').focus();
    await page.keyboard.press('Enter');
    await box.getByRole('textbox', { name: 'tabs' }).fill('4');
    await box.getByRole('textbox', { name: 'New name', exact: true }).fill('language');
    await page.keyboard.press('Enter');
    await box.getByRole('textbox', { name: 'language' }).fill('pt-BR');
    await box.getByRole('button', { name: 'Remove theme' }).click();
    const plan = (await box.locator('.diff').innerText()).replaceAll(/\s+/g, ' ');
    expect(plan).to.include('preferences.theme from "light" → to not set');
    expect(plan).to.include('preferences.editor.tabs from 2 → to 4');
    expect(plan).to.include('preferences.language from not set → to "pt-BR"');
    await console.expectAccessible();
    await box.getByRole('button', { name: 'Save' }).click();
    await edit('Preferences').waitFor();
    expect((await stored())['preferences']).to.deep.equal({ editor: { tabs: 4 }, language: 'pt-BR' });
    await box.getByText('"pt-BR"').waitFor();
  });

  it('edits preferences as JSON and by a merge patch, with faults in place', async () => {
    const box = page.locator('.preferences');
    await box.getByRole('button', { name: 'JSON' }).click();
    await edit('Preferences').click();
    const text = box.getByRole('textbox');
    await text.fill('{"theme": ');
    await box.getByRole('button', { name: 'Save' }).click();
    await box.locator('.fault').filter({ hasText: 'JSON' }).waitFor();
    await text.fill(`{"deep": ${'{"a":'.repeat(20)}1${'}'.repeat(20)}}`);
    await box.getByRole('button', { name: 'Save' }).click();
    await box.getByText('Must be nested at most 16 levels deep.').waitFor();
    await console.expectAccessible();
    await text.fill('{"theme": "dark"}');
    await box.getByRole('button', { name: 'Merge patch' }).click();
    expect(JSON.parse(await text.inputValue())).to.deep.equal({ theme: 'dark', editor: null });
    await text.fill('{"theme": null, "editor": {"font": "Mono"}}');
    await box.getByRole('button', { name: 'Save' }).click();
    await edit('Preferences').waitFor();
    expect((await stored())['preferences']).to.deep.equal({ editor: { tabs: 2, font: 'Mono' } });
  });

  it('merges preferences that others change meanwhile, and asks about what both have changed', async () => {
    const box = page.locator('.preferences');
    await edit('Preferences').click();
    await box.getByRole('textbox', { name: 'tabs' }).fill('8');
    await box.getByRole('textbox', { name: 'theme' }).fill('blue');
    await change({ preferences: { editor: { tabs: 3, font: 'Mono' } } });
    const conflict = box.locator('.conflict');
    await conflict.waitFor();
    expect(await conflict.innerText()).to.match(/editor\.tabs.*Theirs.*3.*Mine.*8/s);
    await console.expectAccessible();
    await conflict.getByRole('radio', { name: 'Mine' }).check();
    await box.getByRole('button', { name: 'Save' }).click();
    await edit('Preferences').waitFor();
    expect((await stored())['preferences']).to.deep.equal({
      theme: 'blue',
      editor: { tabs: 8, font: 'Mono' },
    });
  });

  it('lists the sign-ins of the account, and cuts one', async () => {
    await console.app.database.query(
      "insert into identities (issuer, subject, user_id, email) values ('https://id.example.com', 'abc', $1, $2)",
      [id, email],
    );
    await page.reload();
    await page.getByRole('button', { name: 'Cut the sign-in at https://id.example.com' }).click();
    await dialog().getByText('no longer opens this account').waitFor();
    await console.expectAccessible();
    await dialog().getByRole('button', { name: 'Cut' }).click();
    await dialog().waitFor({ state: 'detached' });
    await page.locator('.listed .badge').waitFor();
    const [identity] = await console.app.database.query<{ cut_by_id: number | null }>(
      'select cut_by_id from identities where user_id = $1',
      [id],
    );
    expect(identity?.cut_by_id).to.be.a('number');
  });

  it('suspends and deletes after it has said what that does, and takes a deletion back', async () => {
    await page.getByRole('button', { name: 'Suspend', exact: true }).click();
    await dialog().getByText(email).waitFor();
    await dialog().locator('.diff').waitFor();
    expect(await dialog().locator('.diff').innerText()).to.match(/Status.*Active.*→.*Suspended/s);
    await console.expectAccessible();
    await dialog().getByRole('button', { name: 'Suspend' }).click();
    await page.locator('header .badge').filter({ hasText: 'Suspended' }).waitFor();
    expect((await stored())['status']).to.equal('suspended');

    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    await dialog().locator('.diff').getByText(email).waitFor();
    await dialog().getByRole('textbox', { name: 'Reason' }).fill('She has asked for it.');
    await dialog().getByRole('button', { name: 'Delete' }).click();
    await page.getByText('This account was deleted').waitFor();
    await entries().first().locator('.reason').getByText('She has asked for it.').waitFor();
    const toast = page.locator('.toast').filter({ hasText: 'is deleted' });
    await toast.getByRole('button', { name: 'Undo' }).click();
    await dialog().getByRole('button', { name: 'Restore' }).click();
    await edit('Name').waitFor();
    expect(await stored()).to.include({ status: 'suspended', email });
  });

  it('says why the last admin stays', async () => {
    const [ada] = await console.app.database.query<{ id: number }>('select id from users where email = $1', [
      ADA,
    ]);
    await console.open(`/accounts/${ada?.id}`);
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    await dialog().getByText('This is the last active admin').waitFor();
    expect(await dialog().getByRole('button', { name: 'Delete' }).isDisabled()).to.equal(true);
  });

  it('keeps what is typed when the session ends, and saves it after the next sign-in', async () => {
    await edit('Name').click();
    await page.getByLabel('Name', { exact: true }).fill('Grace B. Hopper');
    await edit('Preferences').click();
    await page.locator('.preferences').getByRole('textbox', { name: 'theme' }).fill('dark');
    await console.app.database.query('delete from console_sessions');
    await page.getByLabel('Name', { exact: true }).press('Enter');
    await dialog().getByText('Your session has ended').waitFor();
    await console.expectAccessible();
    // Back from another tab, without having signed in there.
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
    await dialog().getByText('Your session has ended').waitFor();
    await console.signInAgain();
    // What was to be saved is, without being asked for again.
    await heading('Grace B. Hopper').waitFor();
    await page.locator('.preferences').getByRole('button', { name: 'Save' }).click();
    await edit('Preferences').waitFor();
    expect(await stored()).to.deep.include({
      name: 'Grace B. Hopper',
      preferences: { theme: 'dark', editor: { tabs: 2 } },
    });
  });

  it('is used by the keyboard alone: from the list to a change, through time and back, to an undo', async () => {
    await console.open('/accounts');
    await page.locator(`tbody tr[data-id="${id}"]`).waitFor();
    const pressUntil = async (key: string, name: string | RegExp) => {
      for (let presses = 0; presses < 80; presses++) {
        await page.keyboard.press(key);
        const focused = page.locator(':focus');
        if ((await focused.count()) === 0) continue;
        const text = (await focused.getAttribute('aria-label')) ?? (await focused.innerText());
        if (typeof name === 'string' ? text === name : name.test(text)) return;
      }
      throw new Error(`The keyboard does not reach ${name}.`);
    };
    await pressUntil('Tab', new RegExp(`^Grace Hopper\\s+${email}`));
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Timeline' }).waitFor();
    expect(await page.title()).to.equal('Grace Hopper · Rollcall');
    await pressUntil('Tab', 'Edit Role');
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowUp');
    await pressUntil('Tab', 'Save');
    await page.keyboard.press('Enter');
    await page.locator('header .badge').filter({ hasText: 'Admin' }).waitFor();
    expect(await page.locator(':focus').getAttribute('aria-label')).to.equal('Edit Role');
    await entries().nth(1).waitFor();
    const slider = page.getByRole('slider');
    const isFocused = () => slider.evaluate((it) => it === it.ownerDocument.activeElement);
    for (let presses = 0; presses < 40 && !(await isFocused()); presses++) await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowLeft');
    await page.locator('.past').waitFor();
    await pressUntil('Shift+Tab', 'Back to now');
    await page.keyboard.press('Enter');
    await page.locator('.past').waitFor({ state: 'detached' });
    expect(await isFocused()).to.equal(true);
    await pressUntil('Tab', 'Undo');
    await page.keyboard.press('Enter');
    await dialog().locator('.diff').waitFor();
    await pressUntil('Tab', 'Undo');
    await page.keyboard.press('Enter');
    await dialog().waitFor({ state: 'detached' });
    await entries().nth(2).waitFor();
    expect((await stored())['role']).to.equal('user');
  });

  it('shows hostile names and preferences as the text that they are', async () => {
    const hostile = '<img src=x onerror=alert(1)>';
    // A name that is older than the rule about it.
    await console.app.database.query('update users set name = $2 where id = $1', [
      id,
      `\u202e${hostile}${'👩'.repeat(200)}`,
    ]);
    await change({ preferences: { [hostile]: { '\u202eevil': '👩‍👩‍👧‍👦'.repeat(60) }, a: hostile } });
    await page.reload();
    await heading(hostile).waitFor();
    await page.locator('.preferences').getByText(hostile).first().waitFor();
    expect(await page.locator('img[src="x"]').count()).to.equal(0);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).to.equal(true);
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).to.be.at.most(360);
    await console.expectAccessible();
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  it('shows the account as it is now at an address with what is no time', async () => {
    await console.open(`/accounts/${id}?at=yesterday`);
    await page.getByRole('heading', { name: 'Timeline' }).waitFor();
    await edit('Name').waitFor();
    await page.getByText('The address has no valid time').waitFor();
    await console.expectAccessible();
    await page.getByRole('button', { name: 'Back to now' }).click();
    await page.getByText('The address has no valid time').waitFor({ state: 'detached' });
    expect(new URL(page.url()).search).to.equal('');
  });

  it('takes a day for the time of its beginning', async () => {
    await console.open(`/accounts/${id}?at=2024-02-29`);
    await page.locator('.past').getByText('Grace Hopper').first().waitFor();
  });
});

describe('the console of a service that requires reasons', function () {
  this.timeout(120_000);

  it('asks why, and says it in the history', async () => {
    const console = await openConsole({ reasonRequired: true });
    try {
      const { id } = await addAccount(console.app.database, 'grace@example.com', { name: 'Grace Hopper' });
      const { page } = console;
      await console.open(`/accounts/${id}`);
      const save = async (name: string) => {
        await page.getByRole('button', { name: 'Edit Name' }).click();
        await page.getByLabel('Name', { exact: true }).fill(name);
        await page.keyboard.press('Enter');
      };
      await save('Grace B. Hopper');
      const dialog = page.getByRole('dialog', { name: 'Say why' });
      await dialog.waitFor();
      await console.expectAccessible();
      await page.keyboard.press('Escape');
      await page.locator('.field .fault').getByText('needs a reason').waitFor();
      expect(await page.getByLabel('Name', { exact: true }).inputValue()).to.equal('Grace B. Hopper');
      await page.getByLabel('Name', { exact: true }).press('Enter');
      await dialog.getByRole('textbox', { name: 'Reason' }).fill('Ticket 4711: Björn');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { level: 1, name: 'Grace B. Hopper' }).waitFor();
      await page.locator('.event').first().locator('.reason').getByText('Ticket 4711: Björn').waitFor();
      // What was said last is likely to be true again.
      await save('Grace Murray Hopper');
      await dialog.getByRole('button', { name: 'Go on' }).click();
      await page.getByRole('heading', { level: 1, name: 'Grace Murray Hopper' }).waitFor();
    } finally {
      await console.close();
    }
  });
});

describe('preferences in the console of an operator with a schema', function () {
  this.timeout(120_000);

  it('are told what is wrong with them at each of them', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'console-schema-'));
    const schema = join(folder, 'schema.json');
    await writeFile(
      schema,
      JSON.stringify({
        type: 'object',
        properties: {
          theme: { enum: ['light', 'dark'] },
          editor: { type: 'object', properties: { tabs: { type: 'integer', maximum: 8 } } },
        },
      }),
    );
    const console = await openConsole({
      preferenceRules: await preferenceRules({ maxBytes: 16_384, schema }),
    });
    try {
      const preferences = { theme: 'light', editor: { tabs: 2 } };
      const { id } = await addAccount(console.app.database, 'grace@example.com', { preferences });
      const { page } = console;
      await console.open(`/accounts/${id}`);
      await page.getByRole('button', { name: 'Edit Preferences' }).click();
      const box = page.locator('.preferences');
      const [theme, tabs] = ['theme', 'tabs'].map((name) => box.getByRole('textbox', { name }));
      await theme?.fill('blue');
      await tabs?.fill('9');
      await box.getByRole('button', { name: 'Save' }).click();
      await box.locator('[aria-invalid="true"]').nth(1).waitFor();
      // Where it is wrong, and not at the end of the form.
      for (const input of [theme, tabs]) {
        const described = await input?.getAttribute('aria-describedby');
        const message = await box.locator(`[id="${described}"]`).innerText();
        expect(message).to.match(input === theme ? /allowed values/ : /8/);
      }
      await console.expectAccessible();
      await theme?.fill('dark');
      await tabs?.fill('8');
      await box.getByRole('button', { name: 'Save' }).click();
      await page.getByRole('button', { name: 'Edit Preferences' }).waitFor();
      await box.getByText('"dark"').waitFor();
    } finally {
      await console.close();
      await rm(folder, { recursive: true });
    }
  });
});
