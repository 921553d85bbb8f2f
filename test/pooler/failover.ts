import { expect } from 'chai';
import { signHs256 } from '../../src/security/hmac.ts';
import { SECRET } from '../support/app.ts';
import { type Pooler, startPooler } from '../support/pooler.ts';
import { expectProblem } from '../support/problem.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';
import { type Pair, startPair } from '../support/replication.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';
import { until } from '../support/until.ts';

const ADA = 'ada@example.com';

// Not among the suites of `npm test`, because it needs PgBouncer on the machine: `npm run test:pooler`.
describe('the change feed after a standby has taken over behind PgBouncer', function () {
  this.timeout(120_000);

  let pair: Pair;
  let address: DatabaseProxy;
  let pooler: Pooler;
  let server: ServerProcess;
  let url: string;

  before(async () => {
    pair = await startPair();
    address = await startProxy(urlOf(pair.primary.port));
    pooler = await startPooler({ url: address.url });
    server = startServer({ DATABASE_URL: pooler.url, INITIAL_ADMINS: ADA });
    url = await server.ready();
  });

  after(async () => {
    await server.end('SIGKILL');
    await pooler.close();
    await address.close();
    await pair.remove();
  });

  const urlOf = (port: number) => `postgres://postgres:none@127.0.0.1:${port}/postgres`;
  const call = async (path: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers);
    headers.set('Authorization', `Bearer ${await signHs256(SECRET, ADA, '1h')}`);
    return fetch(new URL(path, url), { ...init, headers });
  };
  const invite = async (email: string) => {
    const headers = { 'Content-Type': 'application/json' };
    const response = await call('/v1/users', { method: 'POST', headers, body: JSON.stringify({ email }) });
    await response.text();
    return response.status;
  };
  const page = async (after: string) => {
    const response = await call(`/v1/changes?after=${after}`);
    expect(response.status).to.equal(200);
    type Page = { items: { after: { email: string } }[]; nextCursor: string };
    const { items, nextCursor } = (await response.json()) as Page;
    return { emails: items.map((item) => item.after.email), nextCursor };
  };

  it('refuses what may be lost, and goes on from what is not', async () => {
    expect((await server.said('ready'))['connectionMode']).to.equal('pooled');
    expect(await invite('kept@example.com')).to.equal(201);
    const { nextCursor: kept } = await page('0-0');
    await pair.separate();
    expect(await invite('lost@example.com')).to.equal(201);
    const { nextCursor: lost } = await page(kept);
    await pair.primary.stop();
    await pair.promote();
    await address.cut();
    address.lead(urlOf(pair.standby.port));
    await address.mend();
    await until('the service', async () => (await invite('fresh@example.com')) === 201, 60_000);
    await expectProblem(await call(`/v1/changes?after=${lost}`), 410, 'cursor_outdated');
    expect((await page(kept)).emails).to.deep.equal(['fresh@example.com']);
    expect((await page('0-0')).emails).to.deep.equal([ADA, 'kept@example.com', 'fresh@example.com']);
  });
});
