import type { Page } from 'playwright-core';
import { openPage } from './browser.ts';
import { KEYCLOAK_ADMIN, type Keycloak, startKeycloak } from './keycloak.ts';

/** The app of a realm, and the person who signs in there. */
export const APP = 'app';
export const ADA = { username: 'ada', email: 'ada@example.com', password: 'correct horse battery staple' };

/** The audience of Rollcall in that realm. */
export const AUDIENCE = 'rollcall';

/** The client of Rollcall's console. */
export const CONSOLE_CLIENT_ID = 'rollcall-console';

/**
 * Creates what a reader of `docs/keycloak.md` has before the first step, a realm with a person and an app that signs people in, and
 * returns its issuer.
 */
export async function createRealm(keycloak: Keycloak, realm: string): Promise<string> {
  await keycloak.admin('POST', '', { realm, enabled: true });
  await createClient(keycloak, realm, { clientId: APP });
  const { username, email, password } = ADA;
  await keycloak.admin('POST', `/${realm}/users`, {
    username,
    email,
    firstName: 'Ada',
    lastName: 'Lovelace',
    enabled: true,
    credentials: [{ type: 'password', value: password, temporary: false }],
  });
  return `${keycloak.url}/realms/${realm}`;
}

/** Creates a client that has no secret and signs people in by their password. */
export async function createClient(keycloak: Keycloak, realm: string, client: object): Promise<void> {
  await keycloak.admin('POST', `/${realm}/clients`, {
    publicClient: true,
    directAccessGrantsEnabled: true,
    redirectUris: ['http://127.0.0.1:3000/*'],
    ...client,
  });
}

/** Is called with the name of each picture when the page shows it. */
export type Shoot = (name: string) => Promise<unknown>;

/** Takes a picture of a page. */
type Shooting = (page: Page, name: string) => Promise<unknown>;

/** What `docs/keycloak.md` says to click in Keycloak's admin console. */
export class AdminConsole {
  readonly #page: Page;
  readonly #shoot: Shoot;

  private constructor(page: Page, shoot: Shoot) {
    this.#page = page;
    this.#shoot = shoot;
  }

  /** Opens it in a page, signed in. */
  static async open(page: Page, { url }: Keycloak, realm: string, shoot: Shoot = async () => undefined) {
    // Its first pages are slow.
    page.setDefaultTimeout(60_000);
    // On narrow pages, the navigation is closed.
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.goto(`${url}/admin/master/console/#/${realm}/clients`);
    await page.locator('#username').fill(KEYCLOAK_ADMIN.username);
    await page.locator('#password').fill(KEYCLOAK_ADMIN.password);
    await page.locator('[type=submit]').click();
    return new AdminConsole(page, shoot);
  }

  /** Puts Rollcall into the audience of the app's access tokens. */
  async addAudience(): Promise<void> {
    const page = this.#page;
    await page.getByTestId('nav-item-clients').click();
    await page.getByRole('link', { name: APP, exact: true }).click();
    await page.getByRole('tab', { name: 'Client scopes' }).click();
    await page.getByRole('link', { name: `${APP}-dedicated` }).click();
    await page.getByRole('button', { name: 'Configure a new mapper' }).click();
    await page.getByText('Audience', { exact: true }).click();
    await page.getByTestId('name').fill(AUDIENCE);
    await page.getByTestId('included.custom.audience').fill(AUDIENCE);
    await this.#shoot('audience');
    await this.#save();
  }

  /** Marks the email of {@link ADA} as verified. */
  async verifyEmail(): Promise<void> {
    const page = this.#page;
    await page.getByTestId('nav-item-users').click();
    await page.getByRole('link', { name: ADA.username, exact: true }).click();
    await page.locator('label', { has: page.getByLabel('Email verified') }).click();
    await this.#shoot('email');
    await this.#save();
  }

  /** Creates the client of the console, and returns its secret. */
  async createConsoleClient(redirectUri: string): Promise<string> {
    const page = this.#page;
    const next = page.getByRole('button', { name: 'Next' });
    await page.getByTestId('nav-item-clients').click();
    await page.getByRole('link', { name: 'Create client' }).click();
    await page.getByLabel('Client ID').fill(CONSOLE_CLIENT_ID);
    await next.click();
    await page.locator('label', { has: page.getByLabel('Client authentication') }).click();
    await next.click();
    await page.getByTestId('redirectUris0').fill(redirectUri);
    await this.#shoot('redirect');
    await this.#save();
    await page.getByRole('tab', { name: 'Credentials' }).click();
    return page.locator('#kc-client-secret').inputValue();
  }

  async #save(): Promise<void> {
    const page = this.#page;
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    const done = page.getByText(/successfully|has been (?:saved|updated)/).first();
    await done.waitFor();
    await page
      .getByRole('button', { name: /^Close .*alert/ })
      .first()
      .click();
    await done.waitFor({ state: 'detached' });
  }
}

const guided = new Map<string, Promise<string>>();

/** Does all that the guide says in a realm of that name, once in a run, and returns its issuer. */
export function openGuidedRealm(realm: string, shoot?: Shooting): Promise<string> {
  const issuer = guided.get(realm) ?? followGuide(realm, shoot);
  guided.set(realm, issuer);
  return issuer;
}

async function followGuide(realm: string, shoot?: Shooting): Promise<string> {
  const keycloak = await startKeycloak();
  const issuer = await createRealm(keycloak, realm);
  const { page, close } = await openPage();
  try {
    const console = await AdminConsole.open(page, keycloak, realm, async (name) => shoot?.(page, name));
    await console.addAudience();
    await console.verifyEmail();
    await console.createConsoleClient('https://rollcall.example.com/v1/session/oidc/callback');
  } finally {
    await close();
  }
  return issuer;
}
