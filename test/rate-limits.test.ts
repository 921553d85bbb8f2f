import { expect } from 'chai';
import { createEmptyDatabase, type TestDatabase } from './support/database.ts';
import { type ServerProcess, startServer } from './support/server-process.ts';
import { forge } from './support/tokens.ts';

const APP = 'https://app.example.com';

describe('two servers with shared rate limits', function () {
  this.timeout(120_000);

  let database: TestDatabase;
  let servers: ServerProcess[];

  before(async () => {
    database = await createEmptyDatabase();
    const env = {
      DATABASE_URL: database.url,
      INITIAL_ADMINS: 'ada@example.com',
      CORS_ORIGINS: APP,
      TRUST_PROXY: '127.0.0.1',
      RATE_LIMIT_FAILURES: '4',
      RATE_LIMIT_REQUESTS: '6',
      RATE_LIMIT_STORE: 'database',
    };
    servers = [startServer(env), startServer(env)];
  });

  after(async () => {
    await Promise.all(servers.map((server) => server.end('SIGKILL')));
    await database.drop();
  });

  it('count together by the forwarded address, and stop on a signal', async () => {
    const [one = '', two = ''] = await Promise.all(servers.map((server) => server.ready()));
    const call = (address: string, client: string, token: string) =>
      fetch(new URL('/v1/me', address), {
        headers: { Authorization: `Bearer ${token}`, 'X-Forwarded-For': client, Origin: APP },
      });
    const statuses = [];
    for (const address of [one, two, one, two, one, two]) {
      statuses.push((await call(address, '203.0.113.66', 'nonsense')).status);
    }
    expect(statuses).to.deep.equal([401, 401, 401, 401, 429, 429]);

    const answers = [];
    for (const address of [one, two, one, two, one, two, one, two]) {
      answers.push(await call(address, '203.0.113.5', forge()));
    }
    expect(answers.map(({ status }) => status)).to.deep.equal([200, 200, 200, 200, 200, 200, 429, 429]);
    expect(answers[0]?.headers.get('ratelimit-policy')).to.equal('"requests";q=6;w=60');
    expect(answers[7]?.headers.get('access-control-allow-origin')).to.equal(APP);

    // No timer keeps the processes alive.
    expect(await Promise.all(servers.map((server) => server.end('SIGTERM')))).to.deep.equal([0, 0]);
  });
});
