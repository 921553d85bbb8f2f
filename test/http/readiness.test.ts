import { expect } from 'chai';
import { startApp, type TestApp } from '../support/app.ts';
import { createMigratedDatabase } from '../support/database.ts';
import { expectProblem } from '../support/problem.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';

describe('the probes', () => {
  let app: TestApp;
  let wire: DatabaseProxy;

  beforeEach(async () => {
    const database = await createMigratedDatabase();
    wire = await startProxy(database.url);
    app = await startApp({ database, through: wire.url });
  });

  afterEach(async () => {
    await app.close();
    await wire.close();
  });

  const expectStatus = async (path: string, status: string) => {
    const response = await app.call(path);
    expect(response.status).to.equal(200);
    expect(await response.json()).to.deep.equal({ status });
  };

  describe('GET /healthz', () => {
    it('answers that the process is alive, without a database query', async () => {
      await expectStatus('/healthz', 'alive');
      expect(wire.statements()).to.equal(0);
    });

    for (const phase of ['booting', 'draining'] as const) {
      it(`answers the same while the process is ${phase}, so that nobody restarts it`, async () => {
        app.lifecycle.phase = phase;
        await expectStatus('/healthz', 'alive');
      });
    }

    it('answers the same during a database outage', async () => {
      await wire.cut();
      await expectStatus('/healthz', 'alive');
    });

    it('answers HEAD', async () => {
      const response = await app.call('/healthz', { method: 'HEAD' });
      expect(response.status).to.equal(200);
    });
  });

  describe('GET /readyz', () => {
    it('is 200 when the database answers and nothing is pending, in one statement', async () => {
      await expectStatus('/readyz', 'ready');
      wire.reset();
      await expectStatus('/readyz', 'ready');
      expect(wire.statements()).to.equal(1);
    });

    for (const phase of ['booting', 'draining'] as const) {
      it(`is 503 while the process is ${phase}`, async () => {
        app.lifecycle.phase = phase;
        const { detail } = await expectProblem(await app.call('/readyz'), 503, 'not_ready');
        expect(detail).to.equal(`The process is ${phase}.`);
      });
    }

    it('is 503 with the name of a pending migration, and 200 once it is applied', async () => {
      const [removed] = await app.database.query<{ name: string }>(
        'delete from rollcall_migrations where id = 1 returning name',
      );
      const response = await app.call('/readyz');
      expect(response.headers.get('retry-after')).to.equal('1');
      const { detail } = await expectProblem(response, 503, 'not_ready');
      expect(detail).to.equal(`Migrations are pending: ${removed?.name}.`);

      await app.database.query('insert into rollcall_migrations (name) values ($1)', [removed?.name]);
      await expectStatus('/readyz', 'ready');
    });

    it('is 200 on a database that is newer than the code', async () => {
      await app.database.query(`insert into rollcall_migrations (name) values ('Migration29990101000000_x')`);
      await expectStatus('/readyz', 'ready');
    });

    it('is 503 during a database outage, and 200 afterwards', async () => {
      await expectStatus('/readyz', 'ready');
      for (let round = 0; round < 2; round++) {
        await wire.cut();
        await expectProblem(await app.call('/readyz'), 503, 'database_unavailable');
        await wire.mend();
        await expectStatus('/readyz', 'ready');
      }
    });
  });
});
