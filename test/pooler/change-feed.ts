import { expect } from 'chai';
import { signHs256 } from '../../src/security/hmac.ts';
import { SECRET } from '../support/app.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { type EventStream, openStream } from '../support/event-stream.ts';
import { type Pooler, startPooler } from '../support/pooler.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';

// Not among the suites of `npm test`, because it needs PgBouncer on the machine: `npm run test:pooler`.
describe('the change feed behind PgBouncer in transaction mode', function () {
  this.timeout(120_000);

  let database: TestDatabase;
  let pooler: Pooler;
  let servers: ServerProcess[];
  let streams: EventStream[];

  beforeEach(async () => {
    database = await createMigratedDatabase();
    pooler = await startPooler(database);
    streams = [];
    servers = Array.from({ length: 2 }, () =>
      startServer({ DATABASE_URL: pooler.url, INITIAL_ADMINS: 'ada@example.com' }),
    );
  });

  afterEach(async () => {
    for (const stream of streams) stream.close();
    await Promise.all(servers.map((server) => server.end('SIGKILL')));
    await pooler.close();
    await database.drop();
  });

  it('serves changes of another process to streams and waiting requests, without notifications', async () => {
    const addresses = await Promise.all(servers.map((server) => server.ready()));
    const headers = { Authorization: `Bearer ${await signHs256(SECRET, 'ada@example.com', '1h')}` };
    const at = (address = '') => ({
      call: (path: string, { headers: more, ...options }: RequestInit = {}) =>
        fetch(new URL(path, address), { ...options, headers: { ...headers, ...(more as object) } }),
    });
    for (let n = 0; n < 20; n++) {
      streams.push(await openStream(at(addresses[1]), '/v1/changes?after=now', { as: 'ada@example.com' }));
    }
    const waiting = at(addresses[1]).call('/v1/changes?after=now&wait=30');
    for (let n = 1; n <= 3; n++) {
      const response = await at(addresses[0]).call('/v1/users', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ email: `p${n}@example.com` }),
      });
      expect(response.status).to.equal(201);
      for (const event of await Promise.all(streams.map((stream) => stream.next()))) {
        expect(JSON.parse(event?.data ?? '').after).to.include({ email: `p${n}@example.com` });
      }
    }
    expect(((await (await waiting).json()) as { items: object[] }).items).to.not.be.empty;
    expect((await servers[1]?.said('ready'))?.['connectionMode']).to.equal('pooled');
    const listeners = await database.query(
      `select from pg_stat_activity where datname = current_database() and application_name = 'rollcall listener'`,
    );
    expect(listeners).to.deep.equal([]);
  });
});
