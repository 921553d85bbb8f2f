import { expect } from 'chai';
import { findFreePort } from '../../src/database/embedded/start.ts';
import { signHs256 } from '../../src/security/hmac.ts';
import { SECRET } from '../support/app.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';
import { copyExamples, type Examples } from '../support/examples.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';
import { until } from '../support/until.ts';

const NAME = 'go-middleware';

// Not among the suites of `npm test`, because it needs Go on the machine: `npm run test:examples`.
describe('the example of middleware in Go', function () {
  this.timeout(300_000);

  let examples: Examples;
  let database: TestDatabase;
  let server: ServerProcess;
  let origin: string;

  before(async () => {
    examples = copyExamples();
    const port = await findFreePort();
    origin = `http://127.0.0.1:${port}`;
    database = await createEmptyDatabase();
    server = startServer({ DATABASE_URL: database.url, INITIAL_ADMINS: 'ada@example.com' });
    const address = await server.ready();
    console.log(`      built in ${examples.install(NAME)} s`);
    const app = examples.start(NAME, { PORT: `${port}`, ROLLCALL_URL: address, FRESH: '500ms' });
    await app.said(/http:/);
    await database.query(
      `insert into users (email, preferences) values ('grace@example.com', '{"theme": "dark"}')`,
    );
  });

  after(async () => {
    await examples.remove();
    await server?.end('SIGKILL');
    await database?.drop();
  });

  const get = async (path: string, email?: string) => {
    const headers: Record<string, string> =
      email === undefined ? {} : { Authorization: `Bearer ${await signHs256(SECRET, email, '1h')}` };
    // It says so before it listens.
    const response = await until('it listens', () =>
      fetch(origin + path, { headers }).catch(() => undefined),
    );
    const text = await response.text();
    const isProblem = response.headers.get('content-type') === 'application/problem+json';
    return [response.status, isProblem ? JSON.parse(text).code : text.trim()];
  };

  it('says at its start which setting is wrong', async () => {
    const app = examples.start(NAME, { FRESH: '5' });
    await app.said(/FRESH must be a duration such as 5s/);
    expect(await app.ended()).to.equal(1);
  });

  it('lets accounts and admins in, and passes refusals on', async () => {
    expect(await get('/hello')).to.deep.equal([401, 'unauthenticated']);
    expect(await get('/hello', 'grace@example.com')).to.deep.equal([
      200,
      'Hello grace@example.com, your theme is dark.',
    ]);
    expect(await get('/report', 'grace@example.com')).to.deep.equal([403, 'This is for admins.']);
    expect(await get('/report', 'ada@example.com')).to.deep.equal([200, 'A report for ada@example.com.']);
    const [status, code] = await get('/hello', 'eve@example.com');
    expect([status, code]).to.deep.equal([403, 'account_required']);
  });

  it('keeps out whom Rollcall no longer lets in, and everybody while it cannot be reached', async () => {
    await get('/hello', 'grace@example.com');
    await database.query(`update users set status = 'suspended' where email = 'grace@example.com'`);
    await until('she is out', async () => (await get('/hello', 'grace@example.com'))[0] === 403);
    expect(await get('/hello', 'grace@example.com')).to.deep.equal([403, 'account_suspended']);
    await server.end('SIGKILL');
    await until('nobody is let in', async () => (await get('/hello', 'ada@example.com'))[0] === 503);
    expect(await get('/hello')).to.deep.equal([503, 'The accounts cannot be reached.']);
  });
});
