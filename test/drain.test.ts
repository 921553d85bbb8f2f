import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { signHs256 } from '../src/security/hmac.ts';
import { SECRET, startApp } from './support/app.ts';
import { createMigratedDatabase, type TestDatabase } from './support/database.ts';
import { testEndpoint } from './support/endpoints.ts';
import { closed, dial } from './support/raw-http.ts';
import { type ServerProcess, startServer } from './support/server-process.ts';
import { until } from './support/until.ts';

describe('the drain', () => {
  let database: TestDatabase;
  let server: ServerProcess;

  beforeEach(async () => {
    database = await createMigratedDatabase();
  });

  afterEach(async () => {
    await server.end('SIGKILL');
    await database.drop();
  });

  const start = async (env: NodeJS.ProcessEnv = {}) => {
    server = startServer({ DATABASE_URL: database.url, INITIAL_ADMINS: 'ada@example.com', ...env });
    return new URL(await server.ready());
  };
  /** A request that never ends: its headers do not. */
  const unfinished = async (address: URL) => {
    const socket = connect(Number(address.port), address.hostname).on('error', () => undefined);
    await once(socket, 'connect');
    socket.write('GET /v1/me HTTP/1.1\r\nHost: x\r\n');
    // Another request, answered after those bytes arrived: the server is reading the first one.
    await (await fetch(new URL('/healthz', address))).text();
    return socket;
  };

  it('answers every request on keep-alive connections, and exits 0', async () => {
    const address = await start();
    const headers = { Authorization: `Bearer ${await signHs256(SECRET, 'ada@example.com', '1h')}` };
    let answered = 0;
    let told = false;

    /** Sends requests on one connection until an answer says that it is the last one. */
    const askUntilClosed = async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (;;) {
        const [response]: [IncomingMessage] = await (once(
          get(new URL('/v1/me', address), { agent, headers }),
          'response',
        ) as Promise<[IncomingMessage]>);
        await once(response.resume(), 'end');
        expect(response.statusCode).to.equal(200);
        if (++answered >= 500 && !told) {
          told = true;
          server.child.kill('SIGTERM');
        }
        if (response.headers.connection === 'close') return agent.destroy();
      }
    };
    await Promise.all(Array.from({ length: 20 }, askUntilClosed));
    expect(await server.ended()).to.equal(0);
    const requests = server.lines.filter(({ msg, route }) => msg === 'request' && route === '/v1/me');
    expect(requests).to.have.length(answered);
  });

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    it(`does not wait for idle connections at ${signal}, however long they may stay open`, async () => {
      const address = await start({ SHUTDOWN_TIMEOUT_MS: '20000', KEEP_ALIVE_TIMEOUT_MS: '600000' });
      const unused = connect(Number(address.port), address.hostname).on('error', () => undefined);
      await once(unused, 'connect');
      const agent = new Agent({ keepAlive: true });
      const idle = get(new URL('/healthz', address), { agent });
      const [response]: [IncomingMessage] = (await once(idle, 'response')) as [IncomingMessage];
      await once(response.resume(), 'end');
      expect(response.headers['keep-alive']).to.equal('timeout=600');
      expect(await server.end(signal)).to.equal(0);
      expect((await server.said('stopping'))['signal']).to.equal(signal);
      expect(server.lines.map(({ msg }) => msg)).not.to.include(
        'requests still running were cut off; raise SHUTDOWN_TIMEOUT_MS if they need longer',
      );
      agent.destroy();
    });
  }

  it('is not needed for an idle connection, which stays open as long as the setting says and then closes', async () => {
    const address = await start({ KEEP_ALIVE_TIMEOUT_MS: '1500' });
    const socket = await dial(address.href);
    let answers = '';
    socket.on('data', (chunk: Buffer) => {
      answers += chunk.toString('latin1');
    });
    const ask = async (count: number) => {
      socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
      await until(`${count} answers`, () => answers.split('{"status":"alive"}').length > count);
    };
    await ask(1);
    const asked = performance.now();
    await ask(2);
    expect(answers).to.match(/^Keep-Alive: timeout=1\r$/m);
    await closed(socket);
    expect(performance.now() - asked).to.be.at.least(1_500);
  });

  it('does not wait for followers of the change feed: waiting requests are answered, and streams end', async () => {
    const address = await start({ SHUTDOWN_TIMEOUT_MS: '20000' });
    const token = await signHs256(SECRET, 'ada@example.com', '1h');
    const follow = (query: string, accept: string) =>
      fetch(new URL(`/v1/changes?after=now&${query}`, address), {
        headers: { Authorization: `Bearer ${token}`, Accept: accept },
      });
    const streams = await Promise.all(Array.from({ length: 10 }, () => follow('', 'text/event-stream')));
    const waiting = Array.from({ length: 10 }, () => follow('wait=30', 'application/json'));
    // Answered once the requests before it have been read.
    await (await fetch(new URL('/healthz', address))).text();
    expect(await server.end('SIGTERM')).to.equal(0);
    for (const stream of streams) expect(await stream.text()).to.match(/^retry: \d+\nid: \d+-1-[\w-]+\n\n$/);
    for (const response of await Promise.all(waiting)) {
      expect(await response.json()).to.deep.include({ items: [] });
    }
    const said = server.lines.map(({ msg }) => msg);
    expect(said).not.to.include(
      'requests still running were cut off; raise SHUTDOWN_TIMEOUT_MS if they need longer',
    );
    const requests = server.lines.filter(({ msg, route }) => msg === 'request' && route === '/v1/changes');
    expect(requests).to.have.length(20);
  });

  it('leaves no database connection that would keep the process alive', async () => {
    const address = await start();
    const headers = { Authorization: `Bearer ${await signHs256(SECRET, 'ada@example.com', '1h')}` };
    await (await fetch(new URL('/v1/me', address), { headers })).text();
    server.child.kill('SIGTERM');
    await server.said('stopped');
    await until('the last connection to end', async () => {
      const left = await database.query(
        `select from pg_stat_activity where datname = current_database() and application_name like 'rollcall%'`,
      );
      return left.length === 0;
    });
    expect(await server.ended()).to.equal(0);
  });

  describe('writes the refused sign-ins that were counted in memory', () => {
    const refuseThrice = async () => {
      const address = await start();
      const headers = { Authorization: `Bearer ${await signHs256(SECRET, 'eve@example.net', '1h')}` };
      for (let time = 0; time < 3; time++)
        expect((await fetch(new URL('/v1/me', address), { headers })).status).to.equal(403);
    };
    const expectCount = async (count: number) =>
      expect(await database.query('select email, count from refused_sign_ins')).to.deep.equal([
        { email: 'eve@example.net', count },
      ]);

    it('before it ends', async () => {
      await refuseThrice();
      await expectCount(1);
      expect(await server.end('SIGTERM')).to.equal(0);
      await expectCount(3);
    });

    it('and ends without them where somebody locks the row', async () => {
      await refuseThrice();
      const holder = await database.connect();
      await holder.query('begin; select from refused_sign_ins for update');
      expect(await server.end('SIGTERM')).to.equal(0);
      await expectCount(1);
      await holder.query('rollback');
    });
  });

  it('cuts off requests that exceed the timeout, and logs it', async () => {
    const socket = await unfinished(await start({ SHUTDOWN_TIMEOUT_MS: '1000' }));
    const end = closed(socket);
    expect(await server.end('SIGINT')).to.equal(0);
    await end;
    expect(server.lines.map(({ msg }) => msg)).to.include(
      'requests still running were cut off; raise SHUTDOWN_TIMEOUT_MS if they need longer',
    );
  });

  it('exits at once on a second signal that is not an echo of the first', async () => {
    const socket = await unfinished(await start({ SHUTDOWN_TIMEOUT_MS: '60000' }));
    // At once: of the same signal, only one would arrive.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) server.child.kill(signal);
    await server.said('stopping');
    // Longer than a signal is an echo.
    await pause(1000);
    expect(server.child.exitCode).to.equal(null);
    expect(await server.end('SIGTERM')).to.equal(143);
    socket.destroy();
  });
});

describe('a request in flight when draining begins', () => {
  it('is answered, and its connection closed', async () => {
    let entered: () => void = () => undefined;
    let leave: () => void = () => undefined;
    const inside = new Promise<void>((resolve) => {
      entered = resolve;
    });
    const slow = testEndpoint({
      method: 'GET',
      path: '/slow',
      access: 'public',
      handle: () =>
        new Promise<string>((resolve) => {
          leave = () => resolve('done');
          entered();
        }),
      view: (outcome) => ({ outcome }),
    });
    const app = await startApp({ extra: [slow] });
    const answer = app.call('/slow');
    await inside;
    const finished = app.drain(20_000);
    leave();
    const response = await answer;
    expect(response.status).to.equal(200);
    expect(response.headers.get('connection')).to.equal('close');
    expect(await response.json()).to.deep.equal({ outcome: 'done' });
    expect(await finished).to.equal(true);
    await app.close();
  });
});
