import { once } from 'node:events';
import { expect } from 'chai';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { dial } from '../support/raw-http.ts';
import { forge } from '../support/tokens.ts';
import { until } from '../support/until.ts';

/** How many changes the account has, beside its creation. */
const CHANGES = 1_000;

describe('GET /v1/me/export with a long history', () => {
  let app: TestApp;
  let id: number;

  beforeEach(async () => {
    app = await startApp();
    id = (await addAccount(app.database, 'ada@example.com')).id;
    // 14 kB before and after each.
    await app.database.query(
      `insert into changes (at, actor, user_id, action, before, after, fields, version)
       select timestamptz '2021-01-01' + n * interval '1 second', 'test', $1, 'updated',
              jsonb_build_object('preferences', jsonb_build_object('x', repeat(chr(97 + n % 26), 14000))),
              jsonb_build_object('preferences', jsonb_build_object('x', repeat(chr(97 + (n + 1) % 26), 14000))),
              '{preferences,preferences.x}', n + 1
         from generate_series(1, $2::int) as n`,
      [id, CHANGES],
    );
    await app.database.query(
      `update users set version = $1, updated_at = timestamptz '2021-01-02' where id = $2`,
      [CHANGES + 1, id],
    );
  });

  afterEach(() => app.close());

  it('has every entry once, in order', async () => {
    const response = await app.call('/v1/me/export', { as: 'ada@example.com' });
    const { history } = (await response.json()) as { history: { version: number }[] };
    expect(history.map(({ version }) => version)).to.deep.equal(
      Array.from({ length: CHANGES + 1 }, (_, at) => at + 1),
    );
  });

  it('admits two of an account at once, and keeps little of 250 unread ones in memory', async () => {
    const request = `GET /v1/me/export HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${forge()}\r\n\r\n`;
    const answers: string[] = [];
    const sockets = await Promise.all(Array.from({ length: 250 }, () => dial(app.url)));
    const before = process.memoryUsage().rss;
    for (const socket of sockets) {
      socket.once('data', (chunk: Buffer) => {
        socket.pause();
        answers.push(chunk.toString('latin1').slice(0, 12));
      });
      socket.write(request);
    }
    await until('an answer for each', () => answers.length === sockets.length);
    expect(answers.filter((status) => status === 'HTTP/1.1 200')).to.have.length(2);
    expect(answers.filter((status) => status === 'HTTP/1.1 429')).to.have.length(248);
    expect(process.memoryUsage().rss - before).to.be.lessThan(300 * 2 ** 20);
    const me = await app.call('/v1/me', { as: 'ada@example.com' });
    expect(me.status).to.equal(200);
    for (const socket of sockets) socket.destroy();
    await until('all places to be free', () => app.transfers.places.personal.taken === 0);
  });

  it('reads no further than its caller', async () => {
    const socket = await dial(app.url);
    socket.write(`GET /v1/me/export HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${forge()}\r\n\r\n`);
    await once(socket, 'readable');
    const scans = async () => {
      const [row] = await app.database.query<{ scans: string }>(
        `select sum(idx_scan) as scans from pg_stat_user_indexes where relname = 'changes'`,
      );
      return Number(row?.scans);
    };
    // The statistics of PostgreSQL arrive a second late.
    let last = -1;
    const atRest = await until('the reading to rest', async () => {
      const now = await scans();
      const isAtRest = now === last;
      last = now;
      if (!isAtRest) await new Promise((resolve) => setTimeout(resolve, 1_500));
      return isAtRest ? now : undefined;
    });
    // 28 MB in pages of half a megabyte: fewer than all of them, which would be more than fifty.
    expect(atRest).to.be.lessThan(40);
    socket.destroy();
  });
});
