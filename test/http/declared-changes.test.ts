import { expect } from 'chai';
import { change, type Endpoint } from '../../src/http/endpoint.ts';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { describedEndpoints } from '../support/endpoints.ts';
import { expectProblem } from '../support/problem.ts';

describe('an endpoint that changes an entity', () => {
  const table = describedEndpoints();
  const nameOf = ({ method, path }: Endpoint) => `${method} ${path}`;

  it('declares the entity, and obeys If-Match where it has a version', () => {
    const changing = table.filter(({ method }) => method !== 'GET' && method !== 'POST');
    expect(changing.length).to.be.greaterThan(5);
    for (const endpoint of changing) expect(endpoint.changes, nameOf(endpoint)).to.be.a('function');
    const unversioned = changing.filter(({ obeysIfMatch }) => !obeysIfMatch).map(nameOf);
    expect(unversioned).to.deep.equal([
      'DELETE /v1/users/:id/identities/:identityId',
      'DELETE /v1/service-tokens/:id',
      'DELETE /v1/me/sessions/:id',
      'DELETE /v1/sessions/:id',
    ]);
  });

  describe('whose handler forgets about versions', () => {
    let app: TestApp;
    let runs: number;

    beforeEach(async () => {
      runs = 0;
      app = await startApp({
        extra: [
          change({
            method: 'PATCH',
            path: '/v1/careless',
            access: 'account',
            summary: 'For a test',
            description: 'For a test.',
            answer: { status: 200, description: 'Done.' },
            changes: ({ actor }) => actor,
            handle({ entity }) {
              runs++;
              entity.name = `run ${runs}`;
              return entity;
            },
            view: ({ name }) => ({ name: name ?? null }),
          }),
        ],
      });
      await addAccount(app.database, 'ada@example.com');
    });

    afterEach(() => app.close());

    const call = (headers: Record<string, string> = {}) =>
      app.call('/v1/careless', { method: 'PATCH', as: 'ada@example.com', headers });

    it('refuses a stale version before the handler runs', async () => {
      const response = await call({ 'If-Match': '"7"' });
      await expectProblem(response, 412, 'precondition_failed');
      expect(response.headers.get('etag')).to.equal('"1"');
      expect(runs).to.equal(0);
    });

    it('accepts the current version', async () => {
      expect((await call({ 'If-Match': '"1"' })).status).to.equal(200);
      expect(runs).to.equal(1);
    });

    it('claims the entity in a replay, so that concurrent writes all succeed', async () => {
      const responses = await Promise.all(Array.from({ length: 8 }, () => call()));
      expect(responses.map(({ status }) => status)).to.deep.equal(Array(8).fill(200));
      const [row] = await app.database.query<{ version: number }>('select version from users');
      expect(row?.version).to.equal(9);
    });
  });
});
