import { once } from 'node:events';
import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/problem.ts';
import { closed, dial } from '../support/raw-http.ts';
import { forge } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const NDJSON = 'application/x-ndjson';

describe('slow clients', () => {
  let app: TestApp;
  const sockets: Socket[] = [];

  const start = async (options: Parameters<typeof startApp>[0] = {}) => {
    app = await startApp(options);
    for (const name of ['ada', 'bob', 'cleo']) {
      await addAccount(app.database, `${name}@example.com`, { role: 'admin' });
    }
  };

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await app.close();
  });

  /** Sends a request, and reads nothing of its answer before `read`. */
  const request = async (method: string, path: string, email: string, more = '') => {
    const socket = await dial(app.url);
    sockets.push(socket);
    const token = forge({ claims: { email } });
    socket.write(`${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n${more}\r\n`);
    let text = '';
    const read = async () => {
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
      });
      await closed(socket);
      return text;
    };
    return { socket, read };
  };
  const exportUnread = (email = 'ada@example.com') => request('GET', '/v1/users/export', email);
  const importUnfinished = async (email = 'ada@example.com', query = '') => {
    const started = await request(
      'POST',
      `/v1/users/import${query}`,
      email,
      `Content-Type: ${NDJSON}\r\nContent-Length: 100\r\n`,
    );
    started.socket.write('{"email":');
    return started;
  };
  /** More accounts than the buffers of a connection take. */
  const fill = () =>
    app.database.query(
      `insert into users (email, preferences)
       select 'p' || n || '@example.com', jsonb_build_object('x', repeat('x', 10000)) from generate_series(1, 2000) as n`,
    );
  const taken = () => app.transfers.places.accounts.taken;
  const expectOthersServed = async () => {
    for (let at = 0; at < 20; at++) {
      const response = await app.call('/v1/me', { as: 'cleo@example.com' });
      expect(response.status, await response.text()).to.equal(200);
    }
    const write = await app.call('/v1/me', {
      as: 'cleo@example.com',
      method: 'PATCH',
      headers: { 'Content-Type': 'application/json' },
      body: '{"name":"Cleo"}',
    });
    expect(write.status, await write.text()).to.equal(200);
  };
  const sessions = () =>
    app.database.query<{ state: string }>(
      `select state from pg_stat_activity
        where datname = current_database() and application_name = 'rollcall' and state <> 'idle'`,
    );

  for (const poolMax of [2, 4, 10]) {
    it(`leave requests answered: twelve imports and twelve exports, with ${poolMax} connections`, async () => {
      await start({ poolMax });
      await fill();
      for (let at = 0; at < 12; at++) {
        const email = `${['ada', 'bob', 'cleo'][at % 3]}@example.com`;
        await Promise.all([importUnfinished(email), exportUnread(email)]);
      }
      await until('half of the connections to be taken', () => taken() === poolMax / 2);
      await expectOthersServed();
      expect(taken()).to.equal(poolMax / 2);
      expect((await sessions()).length).to.be.at.most(poolMax / 2);
    });
  }

  /** How many uploads this process has in files, where the system tells: without a name, they are gone with it. */
  const openUploads = async () => {
    const files = await readdir('/proc/self/fd').catch(() => []);
    const names = await Promise.all(files.map((file) => readlink(`/proc/self/fd/${file}`).catch(() => '')));
    return names.filter((name) => name.includes('rollcall-upload-')).length;
  };

  it('leave no file with a name, which a crash would leave behind', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rollcall-test-'));
    process.env['TMPDIR'] = folder;
    try {
      await start();
      await importUnfinished();
      if (process.platform === 'linux')
        await until('the upload to be open', async () => (await openUploads()) === 1);
      expect(await readdir(folder)).to.deep.equal([]);
    } finally {
      delete process.env['TMPDIR'];
      await rm(folder, { recursive: true });
    }
  });

  it('are told to wait: one caller for their own transfers, others for a place', async () => {
    await start({ poolMax: 8 });
    await Promise.all([importUnfinished(), importUnfinished()]);
    await until('two places to be taken', () => taken() === 2);
    const ownToo = await app.call('/v1/users/export', { as: 'ada@example.com' });
    expect(ownToo.headers.get('retry-after')).to.equal('5');
    await expectProblem(ownToo, 429, 'too_many_transfers');
    // Half of the places are left.
    const other = await app.call('/v1/users/export', { as: 'bob@example.com' });
    expect(await other.text()).to.include('ada@example.com');
    await Promise.all([importUnfinished('bob@example.com'), importUnfinished('bob@example.com')]);
    await until('four places to be taken', () => taken() === 4);
    const busy = await app.call('/v1/users/export', { as: 'cleo@example.com' });
    expect(busy.headers.get('retry-after')).to.equal('5');
    await expectProblem(busy, 503, 'transfers_busy');
  });

  it('are refused for their query, their size and their type before anything is received', async () => {
    await start({ transferLimits: { maxUploadBytes: 20 } });
    const { read: readQuery, socket } = await importUnfinished('ada@example.com', '?mode=replace');
    void readQuery().then((text) => expect(text).to.match(/^HTTP\/1.1 400 /));
    await once(socket, 'data');
    const { read, socket: large } = await importUnfinished();
    const answer = read();
    await once(large, 'data');
    large.end();
    expect(await answer)
      .to.match(/^HTTP\/1.1 413 /)
      .and.include('send at most 20 bytes');
    // Without a length, it shows on the way.
    const body = new ReadableStream({
      start(upload) {
        for (let at = 0; at < 30; at++) upload.enqueue(Buffer.from('\n'));
        upload.close();
      },
    });
    const unannounced = await app.call('/v1/users/import', {
      as: 'ada@example.com',
      method: 'POST',
      headers: { 'Content-Type': NDJSON },
      body,
      duplex: 'half',
    } as RequestInit);
    await expectProblem(unannounced, 413, 'body_too_large');
    expect(taken()).to.equal(0);
  });

  it('that send too slowly get 408, and their connection is closed', async () => {
    await start({ transferLimits: { uploadPatienceMs: 400, minRate: 1_000 } });
    const { socket, read } = await importUnfinished();
    const answer = read();
    // Slower than the minimum, and never silent for long.
    const trickle = setInterval(() => socket.write(' '), 20);
    socket.once('close', () => clearInterval(trickle));
    expect(await answer)
      .to.match(/^HTTP\/1.1 408 /)
      .and.include('transfer_too_slow');
    expect(taken()).to.equal(0);
  });

  it('that send fast enough, but for too long, get 408', async () => {
    await start({ transferLimits: { timeoutMs: 500 } });
    const { socket, read } = await request(
      'POST',
      '/v1/users/import',
      'ada@example.com',
      `Content-Type: ${NDJSON}\r\nContent-Length: 100000000\r\n`,
    );
    const answer = read();
    const steady = setInterval(() => socket.write('\n'.repeat(1_000)), 10);
    socket.once('close', () => clearInterval(steady));
    expect(await answer)
      .to.match(/^HTTP\/1.1 408 /)
      .and.include('within 500 ms');
  });

  it('that pause now and then are served', async () => {
    await start({ transferLimits: { uploadPatienceMs: 2_000, answerPatienceMs: 2_000 } });
    await fill();
    const { socket, read } = await importUnfinished();
    const answer = read();
    const rest = '"new@example.com"}'.padEnd(91);
    for (const part of [rest.slice(0, 5), rest.slice(5)]) {
      await pause(300);
      socket.write(part);
    }
    await until('the account to be imported', async () =>
      (await accountsIn(app.database)).some(({ email }) => email === 'new@example.com'),
    );
    socket.end();
    expect(await answer).to.match(/^HTTP\/1.1 200 /);
    const response = await app.call('/v1/users/export', { as: 'bob@example.com' });
    let length = 0;
    for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
      if (length === 0) await pause(300);
      length += part.length;
    }
    expect(length).to.be.greaterThan(20_000_000);
  });

  for (const [how, transferLimits, reason] of [
    ['that read nothing', { answerPatienceMs: 500 }, 'The caller reads the answer too slowly.'],
    ['that read for too long', { timeoutMs: 500 }, 'The caller has not read the answer within 500 ms.'],
  ] as const) {
    it(`${how} of an export are cut off, which the log says, and give their connection back`, async () => {
      await start({ transferLimits });
      await fill();
      const { read } = await exportUnread();
      await until('the answer to be cut short', () => app.log.some((line) => line['reason'] === reason));
      await until('all places to be free', () => taken() === 0);
      await until('all sessions to end', async () => (await sessions()).length === 0);
      const text = await read();
      expect(text).to.match(/^HTTP\/1.1 200 /);
      // The last chunk (RFC 9112, section 7.1) marks a body as complete.
      expect(text.endsWith('0\r\n\r\n')).to.equal(false);
    });
  }

  it('that do not read a large answer of another kind are cut off too', async () => {
    await start({ transferLimits: { answerPatienceMs: 500 } });
    await fill();
    // Several on one connection: one alone might fit into its buffers.
    const socket = await dial(app.url);
    sockets.push(socket);
    const get = `GET /v1/users?limit=200 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${forge({ claims: { email: 'ada@example.com' } })}\r\n\r\n`;
    socket.write(get.repeat(8));
    await until('the slow reader to be cut off', () =>
      app.log.some((line) => line['reason'] === 'The caller reads the answer too slowly.'),
    );
    // Whoever reads gets all of it.
    const response = await app.call('/v1/users?limit=200', { as: 'ada@example.com' });
    expect(((await response.json()) as { items: unknown[] }).items).to.have.length(200);
  });

  it('that hang up, again and again, leave nothing behind', async () => {
    await start({ poolMax: 4 });
    await fill();
    for (let at = 0; at < 40; at++) {
      const [{ socket }, { socket: reading }] = await Promise.all([
        importUnfinished(),
        exportUnread('bob@example.com'),
      ]);
      // Some in the middle of the transfer, some before it begins.
      if (at % 3 === 0) await once(reading, 'data');
      if (at % 3 === 1) await pause(5);
      if (at % 2 === 0) socket.destroy();
      else socket.resetAndDestroy();
      reading.destroy();
      await until('all places to be free', () => taken() === 0);
    }
    await until('all sessions to end', async () => (await sessions()).length === 0);
    const response = await app.call('/v1/users/export', { as: 'ada@example.com' });
    expect((await response.text()).match(/\n/g)).to.have.length(2_003);
    expect(await openUploads()).to.equal(0);
    expect(app.log.filter(({ level }) => Number(level) >= 40)).to.deep.equal([]);
  });

  it('that hang up leave nothing behind either when one answer waits for another on the connection', async () => {
    await start();
    await fill();
    const socket = await dial(app.url);
    sockets.push(socket);
    const token = forge({ claims: { email: 'ada@example.com' } });
    const get = `GET /v1/users/export HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`;
    socket.write(get.repeat(2));
    await until('two places to be taken', () => taken() === 2);
    await until('two sessions', async () => (await sessions()).length === 2);
    socket.destroy();
    await until('all places to be free', () => taken() === 0);
    await until('all sessions to end', async () => (await sessions()).length === 0);
  });

  it('do not hold up a process that drains beyond its time', async () => {
    await start();
    await fill();
    await Promise.all([importUnfinished(), exportUnread('bob@example.com')]);
    await until('two places to be taken', () => taken() === 2);
    expect(await app.drain(500)).to.equal(false);
    await until('all places to be free', () => taken() === 0);
    await until('all sessions to end', async () => (await sessions()).length === 0);
  });
});
