import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { Agent, request } from 'undici';
import { findFreePort } from '../../src/database/embedded/start.ts';
import { signHs256 } from '../../src/security/hmac.ts';
import { addAccount } from '../support/accounts.ts';
import { SECRET } from '../support/app.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { type Haproxy, startHaproxy } from '../support/haproxy.ts';
import { scrape } from '../support/metrics.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';
import { until } from '../support/until.ts';

/**
 * How many people ask at a time, and how long each waits between two requests, in milliseconds. The slow ones have connections that are
 * idle when a process stops.
 */
const PEOPLE = 40;
const PAUSES_MS = [20, 400] as const;

/** How often both processes are restarted. */
const ROUNDS = 2;

// Not among the suites of `npm test`, because it needs HAProxy on the machine: `npm run test:haproxy`.
describe('two processes behind HAProxy, restarted one after the other', function () {
  this.timeout(180_000);

  let database: TestDatabase;
  let ports: number[];
  let servers: ServerProcess[];
  let haproxy: Haproxy;

  before(async () => {
    database = await createMigratedDatabase();
    for (let n = 0; n < PEOPLE; n++) await addAccount(database, `p${n}@example.com`);
    ports = [];
    while (ports.length < 5) ports.push(await findFreePort());
    servers = await Promise.all([start(1), start(2)]);
    const [front, one, two] = ports.map((port) => `127.0.0.1:${port}`) as [string, string, string];
    haproxy = await startHaproxy(
      'config/processes/haproxy.cfg',
      { LISTEN: front, PROCESS1: one, PROCESS2: two },
      { host: '127.0.0.1', port: ports[0] ?? 0 },
    );
  });

  after(async () => {
    await haproxy.close();
    for (const server of servers) await server.end('SIGKILL');
    await database.drop();
  });

  const start = async (n: number) => {
    const server = startServer({
      DATABASE_URL: database.url,
      ENVIRONMENT: 'production',
      HOST: '127.0.0.1',
      PORT: `${ports[n]}`,
      METRICS_PORT: `${ports[n + 2]}`,
      TRUST_PROXY: '1',
      RATE_LIMIT_REQUESTS: '0',
      LOG_LEVEL: 'warn',
    });
    await until('the process to be ready', async () => {
      const answer = await fetch(`http://127.0.0.1:${ports[n]}/readyz`).catch(() => undefined);
      await answer?.body?.cancel();
      return answer?.status === 200;
    });
    return server;
  };

  /** Resolves once HAProxy leads requests to a process, since its start. */
  const isAsked = (n: number) =>
    until('a request', async () => {
      const { value } = await scrape(`http://127.0.0.1:${ports[n + 2]}`);
      return value('rollcall_http_requests_total', { route: '/v1/me' });
    });

  it('lose no request', async () => {
    let isOver = false;
    const answers: Record<string, number> = {};
    const agent = new Agent({ connections: PEOPLE });
    const ask = async (person: number) => {
      const authorization = `Bearer ${await signHs256(SECRET, `p${person}@example.com`, '1h')}`;
      for (let n = 0; !isOver; n++) {
        const isWrite = n % 2 === 0;
        const status = await request(`http://127.0.0.1:${ports[0]}/v1/me${isWrite ? '/preferences' : ''}`, {
          dispatcher: agent,
          method: isWrite ? 'PATCH' : 'GET',
          headers: { authorization, ...(isWrite && { 'content-type': 'application/json' }) },
          ...(isWrite && { body: JSON.stringify({ n }) }),
        }).then(
          async ({ statusCode, body }) => {
            await body.text();
            return `${statusCode}`;
          },
          ({ message }: Error) => message,
        );
        answers[status] = (answers[status] ?? 0) + 1;
        await pause(PAUSES_MS[person % 2]);
      }
    };
    const asking = Promise.all(Array.from({ length: PEOPLE }, (_, person) => ask(person)));
    const codes: unknown[] = [];
    try {
      for (let round = 0; round < ROUNDS; round++) {
        for (const n of [1, 2]) {
          // After a start, HAProxy takes a moment to notice; the unit of config/processes waits for it, and a while longer.
          await Promise.all([1, 2].map(isAsked));
          await pause(3_000);
          codes.push(await servers[n - 1]?.end('SIGTERM'));
          servers[n - 1] = await start(n);
        }
      }
      await Promise.all([1, 2].map(isAsked));
    } finally {
      isOver = true;
      await asking;
      await agent.close();
    }
    expect(codes).to.deep.equal(Array(2 * ROUNDS).fill(0));
    expect(Object.keys(answers), JSON.stringify(answers)).to.deep.equal(['200']);
    console.log(`      ${answers['200']} requests, all answered 200`);
  });
});
