import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { createMigratedDatabase } from '../support/database.ts';
import { expectProblem } from '../support/problem.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';

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
      wire.reset();
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

    it('asks once for all who probe at once, and for all within a second', async () => {
      const shared = await startApp({
        database: app.database,
        through: wire.url,
        readinessTimes: { freshMs: 60_000 },
      });
      wire.reset();
      for (let round = 0; round < 3; round++) {
        const probes = await Promise.all(Array.from({ length: 100 }, () => shared.call('/readyz')));
        expect(new Set(probes.map(({ status }) => status))).to.deep.equal(new Set([200]));
      }
      expect(wire.statements()).to.equal(1);
      // A connection that breaks is news.
      await wire.cut();
      await until('the loss', async () => (await shared.call('/readyz')).status === 503);
      await shared.stop();
    });

    it('needs no connection of the pool', async () => {
      await addAccount(app.database, 'ada@example.com');
      const holder = await app.database.connect();
      await holder.query('begin; lock table users');
      const pending = Array.from({ length: 50 }, () => app.call('/v1/me', { as: 'ada@example.com' }));
      await expectStatus('/readyz', 'ready');
      await holder.query('rollback');
      await Promise.all(pending);
    });

    it('keeps its answer for a while when its table is locked, and then says so', async () => {
      const patient = await startApp({
        database: app.database,
        readinessTimes: { freshMs: 0, graceMs: 3_000 },
      });
      expect((await patient.call('/readyz')).status).to.equal(200);
      const holder = await app.database.connect();
      await holder.query('begin; lock table rollcall_migrations');
      expect((await patient.call('/readyz')).status).to.equal(200);
      await until('a refusal', async () => (await patient.call('/readyz')).status === 503);
      const { detail } = await expectProblem(await patient.call('/readyz'), 503, 'not_ready');
      expect(detail).to.match(/^The table of migrations is locked/);
      await holder.query('rollback');
      expect((await patient.call('/readyz')).status).to.equal(200);
      await patient.stop();
    });

    it('is 503 when the network stays silent', async () => {
      const patient = await startApp({
        database: app.database,
        through: wire.url,
        readinessTimes: { freshMs: 0, patienceMs: 1_000, graceMs: 1_500 },
      });
      expect((await patient.call('/readyz')).status).to.equal(200);
      wire.silence();
      await until('a refusal', async () => (await patient.call('/readyz')).status === 503);
      await expectProblem(await patient.call('/readyz'), 503, 'database_unavailable');
      await wire.cut();
      await wire.mend();
      await until('the recovery', async () => (await patient.call('/readyz')).status === 200);
      await patient.stop();
    });
  });
});
