import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { expectNoComplaints, openConsole, REFUSED, type TestConsole } from '../support/console-page.ts';
import {
  accept,
  answering,
  type Receiver,
  startReceiver,
  WEBHOOK_SECRET,
  webhookTo,
} from '../support/webhooks.ts';

const HOSTILE = '<img src=x onerror=alert(1)>';

// Not among the suites of `npm test`, because it needs Chromium on the machine: `npm run test:browser`.
describe('access in the console, in a real browser', function () {
  this.timeout(120_000);

  let console: TestConsole;
  let receiver: Receiver;

  before(async () => {
    const secrets = [WEBHOOK_SECRET];
    receiver = await startReceiver();
    console = await openConsole({
      webhooks: [
        { name: 'crm', url: 'https://crm.example.com/7', secrets, actions: ['deleted'], fields: null },
        webhookTo(receiver, { name: 'billing' }),
      ],
    });
    await addAccount(console.app.database, 'bob@example.com', { name: HOSTILE });
    await console.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  });

  after(async () => {
    await console?.close();
    await receiver?.stop();
  });

  expectNoComplaints(() => console, REFUSED);

  const box = (name: string) => console.page.getByRole('region', { name });
  const button = (name: string) => console.page.getByRole('button', { name, exact: true });

  it('makes a service token, by the keyboard, and shows it once', async () => {
    const { page, app } = console;
    await console.open('/access');
    await page.getByText('No service tokens yet').waitFor();
    await button('New token').press('Enter');
    await page.getByLabel('Name').waitFor();
    await console.expectAccessible();
    await page.keyboard.type(HOSTILE);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    await page.getByLabel('Expires').selectOption('never');
    await page.getByText('works until somebody revokes it').waitFor();
    await page.getByLabel('Name').press('Enter');
    await page.getByText('this is the only time').waitFor();
    await console.expectAccessible();
    await button('Copy').click();
    await button('Copied').waitFor();
    const token = await page.evaluate<string>('navigator.clipboard.readText()');
    expect(token).to.match(/^rc_/);
    // What a program may do with it.
    const headers = { Authorization: `Bearer ${token}` };
    expect((await fetch(`${app.url}/v1/users`, { headers })).status).to.equal(200);
    expect((await fetch(`${app.url}/v1/history`, { headers })).status).to.equal(403);
    await page.keyboard.press('Escape');
    await page.getByText('this is the only time').waitFor();
    await button('I have copied it').click();
    const row = box('Service tokens').getByRole('listitem').filter({ hasText: HOSTILE });
    await row.filter({ hasText: 'users:write' }).filter({ hasText: 'never expires' }).waitFor();
    expect(await page.content()).not.to.include(token);
    await console.expectAccessible();
  });

  it('says at the name that it is taken, and keeps what was chosen', async () => {
    const { page } = console;
    await console.open('/access');
    await button('New token').click();
    const name = page.getByLabel('Name');
    await name.fill(HOSTILE);
    await page.getByRole('checkbox', { name: 'Follow changes' }).check();
    await button('Create the token').click();
    await page.getByRole('alert').waitFor();
    expect(await name.inputValue()).to.equal(HOSTILE);
    expect(await page.getByRole('checkbox', { name: 'Follow changes' }).isChecked()).to.equal(true);
    await name.fill('two  blanks');
    await button('Create the token').click();
    await page.getByText('unusual blanks').waitFor();
    expect(await name.getAttribute('aria-invalid')).to.equal('true');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  });

  it('revokes a token after a question', async () => {
    const { page, app } = console;
    await console.open('/access');
    await button(`Revoke ${HOSTILE}`).click();
    await page.getByText('are refused from their next request on').waitFor();
    await console.expectAccessible();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    await page.getByText(`${HOSTILE} is revoked.`).waitFor();
    await button('Show revoked and expired (1)').click();
    await box('Service tokens').getByText('Revoked', { exact: true }).waitFor();
    const [token] = await app.database.query<{ revoked_by: string }>('select revoked_by from service_tokens');
    expect(token?.revoked_by).to.equal('ada@example.com');
  });

  it('shows how a webhook fails, resumes it, and skips the change', async () => {
    const { page, app } = console;
    const failing = async () =>
      app.database.query(
        `update webhooks set transaction_id = '0', attempts = 3, failing_since = now(), parked_at = now(),
           failing_change_id = (select min(id) from changes), last_error = $1 where name = 'crm'`,
        [`the answer was ${HOSTILE}`],
      );
    await failing();
    await console.open('/access');
    const crm = box('Webhooks').getByRole('listitem').filter({ hasText: 'crm' });
    await crm
      .filter({ hasText: 'Stopped' })
      .filter({ hasText: HOSTILE })
      .filter({ hasText: 'deletions' })
      .waitFor();
    await crm.filter({ hasText: 'after 3 attempts' }).waitFor();
    await console.expectAccessible();
    await crm.getByRole('button', { name: 'Try now' }).click();
    await crm.filter({ hasText: 'Delivering' }).waitFor();
    await failing();
    // It reads the status again by itself.
    await crm.filter({ hasText: 'Stopped' }).waitFor();
    await crm.getByRole('button', { name: 'Skip this change…' }).click();
    await page.getByText('will never receive').waitFor();
    await console.expectAccessible();
    await button('Skip it').click();
    await page.getByText('The change is skipped.').waitFor();
    const [row] = await app.database.query<{ skipped: boolean }>(
      `select change_id = (select min(id) from changes) as skipped from webhooks where name = 'crm'`,
    );
    expect(row?.skipped).to.equal(true);
  });

  it('sends a test, and says what the receiver makes of it', async () => {
    const { page } = console;
    receiver.behave(answering(401));
    await console.open('/access');
    const mine = box('Webhooks').getByRole('listitem').filter({ hasText: 'billing' });
    await mine.getByRole('button', { name: 'Send a test' }).click();
    await page.getByText('billing has not accepted the test: the answer was 401.').waitFor();
    await console.expectAccessible();
    receiver.behave(accept);
    await mine.getByRole('button', { name: 'Send a test' }).click();
    await page.getByText('billing has accepted the test').waitFor();
    expect(receiver.deliveries.map(({ body }) => body.type)).to.deep.equal(['webhook.test', 'webhook.test']);
  });

  it('shows who is signed in, and signs somebody out', async () => {
    const { page } = console;
    const cookies = await page.context().cookies();
    await console.signIn('bob@example.com');
    const bobs = await page.context().cookies();
    await page.context().clearCookies();
    await page.context().addCookies(cookies);
    await console.open('/access');
    const bob = box('Signed in to the console').getByRole('listitem').filter({ hasText: 'bob@example.com' });
    await bob.filter({ hasText: HOSTILE }).waitFor();
    await bob.getByRole('button', { name: /Sign out/ }).click();
    await bob.waitFor({ state: 'detached' });
    await page.context().addCookies(bobs);
    await page.goto(`${console.app.url}/console`);
    await page.getByText('Sign in to the console').waitFor();
    await page.context().addCookies(cookies);
  });

  it('shows on a slow network that it loads, and after a fault how to try again', async () => {
    const { page } = console;
    let isBroken = true;
    await page.route('**/v1/service-tokens', async (route) => {
      await new Promise((done) => setTimeout(done, 300));
      await (isBroken ? route.fulfill({ status: 502, body: 'Bad gateway' }) : route.continue());
    });
    await console.open('/access');
    await box('Service tokens').getByText('Loading…').waitFor({ state: 'attached' });
    await box('Service tokens').getByRole('alert').waitFor();
    isBroken = false;
    await button('Try again').click();
    await box('Service tokens').getByText('Show revoked').waitFor();
    await page.unroute('**/v1/service-tokens');
    expect(console.watched.takeComplaints().filter((text) => /status of 502/.test(text))).to.have.length(1);
  });

  it('is not there for others', async () => {
    const { page } = console;
    await page.context().clearCookies();
    await console.signIn('bob@example.com');
    await console.open('/access');
    await page.getByText('For admins only').waitFor();
    // The page begins with the role that this browser has seen last. The service refuses what an admin would be shown.
    for (const complaint of console.watched.takeComplaints()) expect(complaint).to.include('403 (Forbidden)');
    const asked = () => console.watched.requests.filter((url) => url.endsWith('/v1/service-tokens')).length;
    const before = asked();
    await page.reload();
    await page.getByText('For admins only').waitFor();
    expect(asked()).to.equal(before);
    await console.expectAccessible();
    await page.getByRole('main').getByRole('link', { name: 'My account' }).click();
    await page.getByRole('heading', { name: 'My account' }).waitFor();
  });
});
