import { type EntityManager, wrap } from '@mikro-orm/core';
import { expect } from 'chai';
import { User } from '../../src/domain/user.ts';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { testEndpoint } from '../support/endpoints.ts';

describe('concurrent requests', () => {
  let app: TestApp;
  /** What the handlers received, in order of arrival. */
  let handled: { em: EntityManager; actor: User }[];
  /** Resolves when both handlers have started. */
  let bothStarted: Promise<void>;
  let reportBothStarted: () => void;

  beforeEach(async () => {
    handled = [];
    bothStarted = new Promise((resolve) => {
      reportBothStarted = resolve;
    });
    app = await startApp({
      extra: [
        testEndpoint({
          method: 'POST',
          path: '/v1/meet',
          access: 'account',
          async handle({ unit: { em }, actor }) {
            const arrival = handled.push({ em, actor });
            if (arrival === 2) reportBothStarted();
            await bothStarted;
            // The first request changes the field that the second then reads.
            if (arrival === 1) actor.name = 'changed by the first';
            await em.execute('select 1');
            return actor.name;
          },
          view: (name) => ({ name: name ?? null }),
        }),
        testEndpoint({
          method: 'GET',
          path: '/map',
          access: 'public',
          async handle({ unit: { em } }) {
            const before = em.getUnitOfWork().getIdentityMap().values().length;
            const users = await em.find(User, {});
            return {
              before,
              after: em.getUnitOfWork().getIdentityMap().values().length,
              found: users.length,
            };
          },
          view: (sizes) => sizes,
        }),
      ],
    });
    await addAccount(app.database, 'ada@example.com');
    await addAccount(app.database, 'grace@example.com');
  });

  afterEach(() => app.close());

  const meet = () => app.call('/v1/meet', { method: 'POST', as: 'ada@example.com' });

  it('share neither an EntityManager nor an entity, even for the same account', async () => {
    await Promise.all([meet(), meet()]);
    const [first, second] = handled;
    expect(handled).to.have.length(2);
    expect(first?.actor.id).to.equal(second?.actor.id);
    expect(first?.actor).not.to.equal(second?.actor);
    expect(first?.em).not.to.equal(second?.em);
    for (const { em, actor } of handled) {
      expect(em).not.to.equal(app.orm.em);
      expect(wrap(actor, true).__em).to.equal(em);
    }
    expect(app.orm.em.getUnitOfWork(false).getIdentityMap().values()).to.deep.equal([]);
  });

  it('do not see uncommitted changes of each other', async () => {
    const answers = await Promise.all(
      (await Promise.all([meet(), meet()])).map((response) => response.json()),
    );
    expect(answers).to.have.deep.members([{ name: 'changed by the first' }, { name: null }]);
    expect((await accountsIn(app.database))[0]).to.include({ name: 'changed by the first' });
  });

  it('start with an empty identity map, and so do successive ones', async () => {
    for (let round = 0; round < 3; round++) {
      expect(await (await app.call('/map')).json()).to.deep.equal({ before: 0, after: 2, found: 2 });
    }
  });

  it('of different accounts each get their own answer', async () => {
    const emails = Array.from({ length: 60 }, (_, index) => ['ada', 'grace', 'nobody'][index % 3]);
    const answers = await Promise.all(
      emails.map(async (name) => {
        const response = await app.call('/v1/me', { as: `${name}@example.com` });
        return [name, response.status, ((await response.json()) as { email?: string }).email];
      }),
    );
    for (const [name, status, email] of answers) {
      expect([status, email]).to.deep.equal(
        name === 'nobody' ? [403, undefined] : [200, `${name}@example.com`],
      );
    }
  });
});
