import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import { createClient } from '../../src/client/index.ts';
import { findFreePort } from '../../src/database/embedded/start.ts';
import { signHs256 } from '../../src/security/hmac.ts';
import { SECRET } from '../support/app.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';
import { copyExamples, type Examples } from '../support/examples.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';
import { until } from '../support/until.ts';
import { WEBHOOK_SECRET } from '../support/webhooks.ts';

const NAME = 'python-sync';

// Not among the suites of `npm test`, because they install packages: `npm run test:examples`.
describe('the example of a copy in Python', function () {
  this.timeout(300_000);

  let examples: Examples;
  let database: TestDatabase;
  let server: ServerProcess;
  let port: number;
  let receiverPort: number;
  let client: ReturnType<typeof createClient>;
  let token: string;

  const startService = async () => {
    server = startServer({
      PORT: `${port}`,
      DATABASE_URL: database.url,
      INITIAL_ADMINS: 'ada@example.com',
      WEBHOOKS: JSON.stringify([
        { name: 'copy', url: `http://127.0.0.1:${receiverPort}`, secret: WEBHOOK_SECRET },
      ]),
      WEBHOOKS_ALLOW_PRIVATE: 'true',
    });
    await server.ready();
  };

  before(async () => {
    examples = copyExamples();
    [port, receiverPort] = [await findFreePort(), await findFreePort()];
    database = await createEmptyDatabase();
    await startService();
    client = createClient({
      baseUrl: `http://127.0.0.1:${port}`,
      token: () => signHs256(SECRET, 'ada@example.com', '1h'),
    });
    const scopes = ['users:read', 'changes:read'] as const;
    const created = await client.serviceTokens.create({ name: 'copy', scopes: [...scopes], expiresAt: null });
    token = created.token as string;
    console.log(`      installed in ${examples.install(NAME)} s`);
  });

  after(async () => {
    await examples.remove();
    await server?.end('SIGKILL');
    await database?.drop();
  });

  const startCopy = () =>
    examples.start(NAME, { ROLLCALL_URL: `http://127.0.0.1:${port}`, ROLLCALL_TOKEN: token }, /sync\.py/);
  const copied = () => {
    const copy = new DatabaseSync(examples.fileOf(NAME, 'copy.db'), { readOnly: true });
    try {
      return copy
        .prepare('select id, email, name, role, status, version from accounts order by id')
        .all()
        .map((row) => ({ ...row }));
    } finally {
      copy.close();
    }
  };
  const expectCopy = async () => {
    const accounts = await database.query(
      'select id, email, name, role, status, version from users order by id',
    );
    const isSame = () => JSON.stringify(copied()) === JSON.stringify(accounts);
    await until('the copy is whole', isSame).catch(() => undefined);
    expect(copied()).to.deep.equal(accounts);
  };

  it('has every account and every change, whoever is killed meanwhile', async () => {
    const lines = Array.from({ length: 450 }, (_, n) => `{"email":"n${n}@example.com"}`).join('\n');
    await client.users.import(lines);
    const first = startCopy();
    await first.said(/^copied 451$/);
    const [grace, eve] = [
      await client.users.create({ email: 'grace@example.com' }),
      await client.users.create({ email: 'eve@example.com' }),
    ];
    await client.users.update(grace.id, { name: 'Grace', role: 'admin' });
    await first.said(/^updated \d+$/);
    await first.end('SIGKILL');

    // What happens while nobody follows: 300 accounts go, one is restored.
    await client.users.delete(eve.id);
    const ids = Array.from({ length: 300 }, (_, n) => n + 10);
    await client.users.bulk({ ids, delete: true });
    const second = startCopy();
    await second.said(/^deleted 309$/);
    expect(second.lines.join()).to.not.include('copied');
    await server.end('SIGKILL');
    await second.said(/^connection lost/);
    await startService();
    await client.users.update(grace.id, { status: 'suspended' });
    await second.said(/^updated \d+$/);
    await expectCopy();

    // The database has moved to a server that may lack changes: its feed begins anew, and so does the copy.
    await database.query(`update feed_epochs set server = 'restored from a snapshot'`);
    await client.users.update(grace.id, { status: 'active' });
    await second.said(/^copied 152$/);
    await expectCopy();
    await second.end();
  });

  const WRONG = { ROLLCALL_TOKEN: 'rc_wrong' };
  const complaints: [what: string, command: RegExp, env: NodeJS.ProcessEnv, says: RegExp][] = [
    ['no token', /sync/, {}, /^Set ROLLCALL_TOKEN /],
    ['a wrong token once it has a copy', /sync/, WRONG, /^401: look at ROLLCALL_TOKEN/],
    [
      'a wrong token from the beginning',
      /sync/,
      { ...WRONG, COPY: 'new.db' },
      /^401: look at ROLLCALL_TOKEN/,
    ],
    ['no secret', /receiver/, {}, /^Set WEBHOOK_SECRET /],
  ];
  for (const [what, command, env, says] of complaints) {
    it(`says in one line what is wrong: ${what}`, async () => {
      const program = examples.start(NAME, { ROLLCALL_URL: `http://127.0.0.1:${port}`, ...env }, command);
      await program.said(says);
      expect(program.lines).to.have.length(1);
      expect(await program.ended()).to.equal(1);
    });
  }

  it('waits for the service, also before the first copy', async () => {
    const copy = examples.start(
      NAME,
      { ROLLCALL_URL: 'http://127.0.0.1:9', ROLLCALL_TOKEN: token, COPY: 'another.db' },
      /sync/,
    );
    await until('it has tried twice', () => copy.lines.length > 1);
    expect(new Set(copy.lines)).to.deep.equal(new Set(['connection lost: ConnectError']));
    await copy.end();
  });

  it('receives webhooks, and refuses forged ones', async () => {
    const env = { WEBHOOK_SECRET, RECEIVER_PORT: `${receiverPort}` };
    const receiver = examples.start(NAME, env, /receiver\.py/);
    await receiver.said(/^waiting/);
    const lina = await client.users.create({ email: 'lina@example.com' });
    await client.webhooks.resume('copy');
    await receiver.said(new RegExp(`^account\\.created ${lina.id}$`));
    const before = receiver.lines.length;
    const forged = await fetch(`http://127.0.0.1:${receiverPort}`, {
      method: 'POST',
      body: '{"type":"account.created","data":{"userId":1}}',
      headers: {
        'webhook-id': 'change_1',
        'webhook-timestamp': `${Math.floor(Date.now() / 1000)}`,
        'webhook-signature': `v1,${Buffer.alloc(32).toString('base64')}`,
      },
    });
    expect(forged.status).to.equal(401);
    expect(receiver.lines).to.have.length(before);
  });
});
