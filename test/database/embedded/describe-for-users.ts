import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CHECKOUT, copyCheckoutFor, Fixture, type TestUser, testUsers } from './fixture.ts';

/** One per user: sources that the user can read, and a cluster to copy. */
const templates = new Map<string, Promise<Fixture>>();

async function makeTemplate(user: TestUser): Promise<Fixture> {
  const template = new Fixture(user, user.ids ? await copyCheckoutFor(user) : CHECKOUT);
  await template.setUp();
  const holder = await template.startHolder();
  await holder.open(template.directory);
  await holder.release();
  return template;
}

after(async () => {
  for (const template of await Promise.all(templates.values())) {
    await template.tearDown();
    if (template.user.ids) await rm(dirname(template.checkout), { recursive: true });
  }
});

/** Defines a suite for each user. Every test has its own fixture. */
export function describeForUsers(
  title: string,
  defineTests: (fixture: () => Fixture) => void,
  users = testUsers,
): void {
  for (const user of users) {
    describe(`${title}, as ${user.name}`, function () {
      this.timeout(60_000);
      let fixture: Fixture;
      beforeEach(async () => {
        if (!templates.has(user.name)) templates.set(user.name, makeTemplate(user));
        const template = (await templates.get(user.name)) as Fixture;
        fixture = new Fixture(user, template.checkout);
        await fixture.setUp(template.directory);
      });
      afterEach(() => fixture.tearDown());
      defineTests(() => fixture);
    });
  }
}
