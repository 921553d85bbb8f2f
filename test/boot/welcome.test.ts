import { expect } from 'chai';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';
import { until } from '../support/until.ts';

describe('the welcome of a start in development', function () {
  this.timeout(120_000);

  let database: TestDatabase;
  let server: ServerProcess;

  before(async () => {
    database = await createMigratedDatabase();
  });
  afterEach(async () => {
    await server.end('SIGKILL');
  });
  after(() => database.drop());

  const start = async (env: NodeJS.ProcessEnv = {}) => {
    server = startServer({
      DATABASE_URL: database.url,
      LOG_FORMAT: 'json',
      ENVIRONMENT: 'development',
      INITIAL_ADMINS: 'ada@example.com',
      ...env,
    });
    const address = await server.ready();
    await until('welcome', () => server.output.some((line) => line.startsWith('Your first call')));
    return { address, line: server.output.find((line) => line.startsWith('The console')) };
  };

  it('has a link that signs an admin in to the console, once, within ten minutes', async () => {
    const { address, line = '' } = await start();
    const [, link = '', code] = /^The console +(http:.*\/console\/)#code=([\w-]{43})$/.exec(line) ?? [];
    expect(link).to.equal(`${address}/console/`);
    const [row] = await database.query<{ seconds: number }>(
      'select round(extract(epoch from expires_at - now()))::int as seconds from console_codes',
    );
    expect(row?.seconds).to.be.within(400, 600);
    const redeem = () =>
      fetch(`${address}/v1/session/code`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'Sec-Fetch-Site': 'same-origin' },
        body: JSON.stringify({ code }),
      });
    const response = await redeem();
    expect(response.status).to.equal(201);
    expect(await response.json()).to.have.nested.property('account.role', 'admin');
    expect((await redeem()).status).to.equal(401);
    expect(JSON.stringify(server.lines)).not.to.include(code);
  });

  it('has none without a console or without an admin, and leads to PUBLIC_URL', async () => {
    expect((await start({ CONSOLE: 'false' })).line).to.equal(undefined);
    await server.end('SIGKILL');
    expect((await start({ INITIAL_ADMINS: ',' })).line).to.equal(undefined);
    await server.end('SIGKILL');
    const { line } = await start({ PUBLIC_URL: 'https://dev.example.com', BASE_PATH: '/x' });
    expect(line).to.match(/^The console +https:\/\/dev\.example\.com\/x\/console\/#code=/);
  });
});
