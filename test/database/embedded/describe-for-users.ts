import { clusterTemplate, Fixture, readableCheckout, type TestUser, testUsers } from './fixture.ts';

/** Defines a suite for each user. Every test has its own fixture. */
export function describeForUsers(
  title: string,
  defineTests: (fixture: () => Fixture, user: TestUser) => void,
  users = testUsers,
): void {
  for (const user of users) {
    describe(`${title}, as ${user.name}`, function () {
      this.timeout(120_000);
      let checkout: string;
      let template: string;
      let fixture: Fixture;
      before(async () => {
        checkout = await readableCheckout(user);
        template = await clusterTemplate(user, checkout);
      });
      beforeEach(async () => {
        fixture = new Fixture(user, checkout);
        await fixture.setUp(template);
      });
      afterEach(() => fixture.tearDown());
      defineTests(() => fixture, user);
    });
  }
}
