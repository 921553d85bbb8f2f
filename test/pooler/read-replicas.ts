import { expect } from 'chai';
import type { ObservedServer } from '../support/metrics.ts';
import { type Pooler, startPooler } from '../support/pooler.ts';
import { pauseReplay, resumeReplay, startReading, urlOf } from '../support/read-replicas.ts';
import { type Pair, startPair } from '../support/replication.ts';

const ADA = 'ada@example.com';
const BOB = 'bob@example.com';

// Not among the suites of `npm test`, because it needs PgBouncer on the machine: `npm run test:pooler`.
describe('read replicas behind PgBouncer', function () {
  this.timeout(120_000);

  let pair: Pair;
  let poolers: Pooler[];
  let server: ObservedServer;

  before(async () => {
    pair = await startPair();
    const url = (port: number) => urlOf({ port }).replace('postgres@', 'postgres:none@');
    poolers = [
      await startPooler({ url: url(pair.primary.port) }),
      await startPooler({ url: url(pair.standby.port) }),
    ];
    const [primary = '', replica = ''] = poolers.map((pooler) => pooler.url);
    server = await startReading(primary, [replica], { INITIAL_ADMINS: `${ADA},${BOB}` });
  });

  after(async () => {
    await server.end('SIGKILL');
    for (const pooler of poolers) await pooler.close();
    await pair.remove();
  });

  const emails = async (as: string, headers: Record<string, string> = {}) => {
    const response = await server.call('/v1/users', { as, headers });
    expect(response.status).to.equal(200);
    const { items } = (await response.json()) as { items: { email: string }[] };
    return items.map(({ email }) => email);
  };

  it('serve the list, and show whoever has written, or sends a bookmark, the write', async () => {
    expect((await server.said('ready'))['connectionMode']).to.equal('pooled');
    await pair.caughtUp();
    await pauseReplay(pair.standby);
    const response = await server.call('/v1/users', {
      method: 'POST',
      as: BOB,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ email: 'new@example.com' }),
    });
    expect(response.status).to.equal(201);
    const bookmark = response.headers.get('rollcall-bookmark') ?? '';
    expect(await emails(ADA)).to.have.members([ADA, BOB]);
    expect(await emails(BOB)).to.include('new@example.com');
    expect(await emails(ADA, { 'Rollcall-Bookmark': bookmark })).to.include('new@example.com');
    await resumeReplay(pair.standby);
    await pair.caughtUp();
    expect(await emails(ADA)).to.include('new@example.com');
  });
});
