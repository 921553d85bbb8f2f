import { expect } from 'chai';
import { User } from '../../src/domain/user.ts';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { type TestRequest, testEndpoint } from '../support/endpoints.ts';
import { expectProblem } from '../support/problem.ts';

type Work = (request: TestRequest) => unknown;

describe('a read-only request', () => {
  let app: TestApp;
  let work: Work;
  let shown: boolean;

  beforeEach(async () => {
    shown = false;
    app = await startApp({
      extra: [
        testEndpoint({
          method: 'GET',
          path: '/v1/read',
          access: 'account',
          handle: (request) => work(request),
          view: () => {
            shown = true;
            return {};
          },
        }),
      ],
    });
    await addAccount(app.database, 'ada@example.com', { preferences: { theme: 'dark' } });
  });

  afterEach(() => app.close());

  const slips: [what: string, work: Work][] = [
    [
      'changes an entity',
      ({ actor }) => {
        actor.name = 'changed';
      },
    ],
    [
      "changes an entity's preferences in place",
      ({ actor }) => {
        Object.assign(actor.preferences ?? {}, { theme: 'light' });
      },
    ],
    [
      'changes an entity, then queries for others',
      ({ unit: { em }, actor }) => {
        actor.name = 'changed';
        return em.find(User, {});
      },
    ],
    ['creates an entity', ({ unit: { em } }) => em.persist(new User('new@example.com'))],
    ['removes an entity', ({ unit: { em }, actor }) => em.remove(actor)],
  ];
  for (const [what, slip] of slips) {
    for (const method of ['GET', 'HEAD']) {
      it(`fails as a bug when ${method} ${what}, and stores nothing`, async () => {
        const before = await accountsIn(app.database);
        work = slip;
        const response = await app.call('/v1/read', { method, as: 'ada@example.com' });
        if (method === 'GET') await expectProblem(response, 500, 'internal');
        else expect(response.status).to.equal(500);
        expect(shown).to.equal(false);
        expect(await accountsIn(app.database)).to.deep.equal(before);
        expect(app.log.find(({ level }) => level === 50)?.['err']).to.include({
          message: 'A read-only unit of work tried to change something.',
        });
      });
    }
  }

  it('may load entities', async () => {
    work = ({ unit: { em } }) => em.find(User, {});
    expect((await app.call('/v1/read', { as: 'ada@example.com' })).status).to.equal(200);
    expect(shown).to.equal(true);
  });
});
