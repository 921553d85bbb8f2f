import { once } from 'node:events';
import { expect } from 'chai';
import type { ImportReport } from '../../src/domain/import-report.ts';
import { refusals } from '../../src/domain/refusals.ts';
import { signHs256 } from '../../src/security/hmac.ts';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { SECRET, startApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/problem.ts';
import { startProxy } from '../support/proxy.ts';
import { closed, dial } from '../support/raw-http.ts';
import { until } from '../support/until.ts';

const NDJSON = 'application/x-ndjson';
const CSV = 'text/csv';

describe('the transfer of accounts', () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await startApp();
    await addAccount(app.database, 'admin@example.com', { role: 'admin' });
  });

  afterEach(() => app.close());

  const send = (body: string, type: string, query = '') =>
    app.call(`/v1/users/import${query}`, {
      as: 'admin@example.com',
      method: 'POST',
      headers: { 'Content-Type': type },
      body,
    });
  const fetchAll = async (accept?: string) =>
    app.call('/v1/users/export', {
      as: 'admin@example.com',
      ...(accept !== undefined && { headers: { Accept: accept } }),
    });
  const fill = (count: number) =>
    app.database.query(
      `insert into users (email, name, preferences)
       select 'p' || n || '@example.com', repeat('x', 200), '{"theme":"dark"}' from generate_series(1, $1::int) as n`,
      [count],
    );
  /** Resolves when no connection of the service is in a transaction or a statement. */
  const connectionsAtRest = () =>
    until('the connections to rest', async () => {
      const busy = await app.database.query(
        `select from pg_stat_activity
          where datname = current_database() and application_name = 'rollcall' and state <> 'idle'`,
      );
      return busy.length === 0;
    });

  describe('import', () => {
    it('is for admins', async () => {
      await addAccount(app.database, 'user@example.com');
      for (const [method, path] of [
        ['POST', '/v1/users/import'],
        ['GET', '/v1/users/export'],
      ]) {
        await expectProblem(await app.call(path ?? '', { method: method ?? '' }), 401, 'unauthenticated');
        const response = await app.call(path ?? '', { method: method ?? '', as: 'user@example.com' });
        await expectProblem(response, 403, 'forbidden');
      }
    });

    it('accepts NDJSON and CSV, and answers with a report', async () => {
      const first = await send('{"email":"a@example.com"}\n', NDJSON);
      expect(first.status).to.equal(200);
      expect(await first.json()).to.deep.equal({
        created: 1,
        updated: 0,
        unchanged: 0,
        failed: 0,
        ignoredColumns: [],
        failures: [],
      });
      const second = await send('email,name\na@example.com,A\n', `${CSV}; charset=UTF-8`, '?mode=upsert');
      expect(await second.json()).to.include({ updated: 1 });
      expect(await accountsIn(app.database)).to.have.length(2);
    });

    it('refuses other types, encodings and character sets, and unknown parameters', async () => {
      for (const type of ['application/json', 'text/plain', `${CSV}; charset=klingon`]) {
        await expectProblem(await send('', type), 415, 'unsupported_media_type');
      }
      const encoded = await app.call('/v1/users/import', {
        as: 'admin@example.com',
        method: 'POST',
        headers: { 'Content-Type': NDJSON, 'Content-Encoding': 'gzip' },
        body: '{}',
      });
      await expectProblem(encoded, 415, 'unsupported_media_type');
      for (const query of [
        '?mode=replace',
        '?dryRun=1',
        '?partial=',
        '?force=true',
        '?mode=create&mode=upsert',
      ]) {
        await expectProblem(await send('', NDJSON, query), 400, 'invalid_query');
      }
    });

    it('refuses the whole file for one invalid line, with the report', async () => {
      const response = await send('{"email":"a@example.com"}\n{"email":"b"}\n', NDJSON);
      const problem = await response.json();
      expect(response.status).to.equal(422);
      expect(response.headers.get('content-type')).to.equal('application/problem+json');
      expect(problem).to.deep.include({
        code: 'invalid_input',
        errors: [{ path: 'lines.2.email', message: 'This is not a valid email address.' }],
        report: {
          created: 0,
          updated: 0,
          unchanged: 0,
          failed: 1,
          wouldCreate: 1,
          wouldUpdate: 0,
          ignoredColumns: [],
          failures: [{ line: 2, path: 'email', reason: 'This is not a valid email address.' }],
        },
      });
      expect(await accountsIn(app.database)).to.have.length(1);
    });

    it('stores the valid lines with partial=true, and nothing with dryRun=true', async () => {
      const lines = '{"email":"a@example.com"}\n{"email":"b"}\n';
      const dry = await send(lines, NDJSON, '?partial=true&dryRun=true');
      const { changes, wouldCreate, wouldUpdate, ...dryReport } = (await dry.json()) as ImportReport & {
        changes: unknown[];
      };
      expect([wouldCreate, wouldUpdate]).to.deep.equal([1, 0]);
      expect(dryReport).to.include({ created: 0, updated: 0 });
      expect(changes).to.have.length(1);
      expect(await accountsIn(app.database)).to.have.length(1);
      const written = await send(lines, NDJSON, '?partial=true');
      expect(await written.json()).to.deep.equal({ ...dryReport, created: 1 });
      expect(await accountsIn(app.database)).to.have.length(2);
    });

    it('refuses to demote the last admin, even in a dry run', async () => {
      const demotion = '{"email":"admin@example.com","role":"user"}\n';
      for (const query of ['?mode=upsert', '?mode=upsert&dryRun=true', '?mode=upsert&partial=true']) {
        await expectProblem(await send(demotion, NDJSON, query), 409, 'last_admin');
      }
    });

    it('is replayed after a deadlock, and answers 409 when it loses every time', async () => {
      await app.close();
      const read: string[] = [];
      app = await startApp({
        extra: [
          {
            method: 'POST',
            path: '/deadlocked',
            access: 'public',
            summary: '',
            description: 'For a test.',
            upload: { types: [NDJSON], description: '', examples: {} },
            answer: { status: 200, description: '' },
            refusals: [],
            obeysIfMatch: false,
            async run({ unit: { em }, upload }) {
              for await (const bytes of upload.bytes) read.push(Buffer.from(bytes).toString());
              await em.execute(`do $$ begin raise exception 'deadlock' using errcode = '40P01'; end $$`);
              throw refusals.adminsOnly();
            },
          },
        ],
      });
      const response = await app.call('/deadlocked', {
        method: 'POST',
        headers: { 'Content-Type': NDJSON },
        body: 'all of it',
      });
      await expectProblem(response, 409, 'lost_race');
      expect(read).to.deep.equal(Array(6).fill('all of it'));
    });

    it('opens no transaction before all has arrived, and writes nothing when the caller hangs up halfway', async () => {
      const token = await signHs256(SECRET, 'admin@example.com', '1h');
      const socket = await dial(app.url);
      const lines = Array.from({ length: 2_000 }, (_, at) => `{"email":"p${at}@example.com"}\n`).join('');
      socket.write(
        `POST /v1/users/import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
          `Content-Type: ${NDJSON}\r\nContent-Length: ${lines.length + 1}\r\n\r\n${lines}`,
      );
      await until('the place to be taken', () => app.transfers.places.accounts.taken === 1);
      await connectionsAtRest();
      socket.destroy();
      await until('the place to be free', () => app.transfers.places.accounts.taken === 0);
      expect(await accountsIn(app.database)).to.have.length(1);
      expect(app.log.filter(({ level }) => Number(level) >= 50)).to.deep.equal([]);
    });

    /** Starts an import that waits for a lock halfway, in its transaction. */
    const blockedImport = async (begin: (body: string) => Promise<unknown>) => {
      const blocker = await app.database.connect();
      await blocker.query('begin');
      await blocker.query(`insert into users (email) values ('p3000@example.com')`);
      const answer = begin(
        Array.from({ length: 6_000 }, (_, at) => `{"email":"p${at}@example.com"}\n`).join(''),
      );
      const [waiting] = await until('the import to wait for a lock', async () => {
        const rows = await app.database.query<{ pid: number }>(
          `select pid from pg_stat_activity
            where datname = current_database() and application_name = 'rollcall' and wait_event_type = 'Lock'`,
        );
        return rows.length === 1 ? rows : undefined;
      });
      return { blocker, answer, pid: waiting?.pid };
    };

    it('writes nothing when the caller hangs up while it is written', async () => {
      const token = await signHs256(SECRET, 'admin@example.com', '1h');
      const socket = await dial(app.url);
      const { blocker } = await blockedImport(async (body) =>
        socket.write(
          `POST /v1/users/import?partial=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
            `Content-Type: ${NDJSON}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        ),
      );
      socket.destroy();
      await (await app.call('/healthz')).text();
      await blocker.query('rollback');
      await until('the place to be free', () => app.transfers.places.accounts.taken === 0);
      expect(await accountsIn(app.database)).to.have.length(1);
      await connectionsAtRest();
    });

    it('answers 503 when its database session ends halfway', async () => {
      const { blocker, answer, pid } = await blockedImport((body) => send(body, NDJSON));
      await app.database.query('select pg_terminate_backend($1)', [pid]);
      await expectProblem((await answer) as Response, 503, 'database_unavailable');
      await blocker.query('rollback');
      expect(await accountsIn(app.database)).to.have.length(1);
    });
  });

  describe('export', () => {
    it('is NDJSON unless CSV is preferred, ordered by id, each account as its endpoint shows it', async () => {
      await addAccount(app.database, 'b@example.com', { name: 'B', preferences: { theme: 'dark' } });
      await addAccount(app.database, 'a@example.com');
      for (const accept of [undefined, '*/*', 'text/csv;q=0.1, application/x-ndjson']) {
        const response = await fetchAll(accept);
        expect(response.status).to.equal(200);
        expect(response.headers.get('content-type')).to.match(/^application\/x-ndjson/);
        expect(response.headers.get('content-disposition')).to.equal(
          'attachment; filename="accounts.ndjson"',
        );
        const items = (await response.text())
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line));
        expect(items.map(({ email }) => email)).to.deep.equal([
          'admin@example.com',
          'b@example.com',
          'a@example.com',
        ]);
        for (const item of items) {
          const shown = await app.call(`/v1/users/${item.id}`, { as: 'admin@example.com' });
          expect(item).to.deep.equal(await shown.json());
        }
      }
    });

    it('has every account once, small and large ones', async () => {
      await app.database.query(
        `insert into users (email, preferences)
         select 'p' || n || '@example.com', jsonb_build_object('x', repeat('x', case when n between 300 and 420 then 60000 else 1 end))
           from generate_series(1, 700) as n`,
      );
      const items = (await (await fetchAll()).text())
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(items.map(({ email }) => email)).to.deep.equal([
        'admin@example.com',
        ...Array.from({ length: 700 }, (_, index) => `p${index + 1}@example.com`),
      ]);
      expect(items[300].preferences.x).to.have.length(60_000);
    });

    it('is CSV with the columns in a fixed order', async () => {
      await addAccount(app.database, 'b@example.com', { name: 'B, "C"', preferences: { theme: 'dark' } });
      const response = await fetchAll(CSV);
      expect(response.headers.get('content-type')).to.equal('text/csv; charset=utf-8');
      expect(response.headers.get('content-disposition')).to.equal('attachment; filename="accounts.csv"');
      const [head, , second] = (await response.text()).split('\r\n');
      expect(head).to.equal(
        'id,email,name,role,status,storageMode,preferences,version,createdAt,updatedAt,roleUntil,lastSeenAt',
      );
      expect(second).to.match(
        /^\d+,b@example.com,"B, ""C""",user,active,local,"\{""theme"":""dark""\}",1,2020-01-02T03:04:05.678Z,/,
      );
    });

    it('takes its format from a link, which has no Accept, and has only what its filters match', async () => {
      await addAccount(app.database, 'b@example.com', { name: "O'Hara", storage_mode: 'account' });
      await addAccount(app.database, 'c@other.example');
      await app.database.query("update users set status = 'suspended' where email = 'c@other.example'");
      const emailsOf = async (query: string) => {
        const response = await app.call(`/v1/users/export?format=csv&${query}`, { as: 'admin@example.com' });
        expect(response.headers.get('content-type')).to.equal('text/csv; charset=utf-8');
        expect(response.headers.get('content-disposition')).to.equal('attachment; filename="accounts.csv"');
        const [, ...lines] = (await response.text()).trimEnd().split('\r\n');
        return lines.map((line) => line.split(',')[1]);
      };
      expect(await emailsOf('')).to.deep.equal(['admin@example.com', 'b@example.com', 'c@other.example']);
      for (const [query, emails] of [
        [`q=${encodeURIComponent("o'h")}&storageMode=account`, ['b@example.com']],
        ['role=user&status=suspended', ['c@other.example']],
        ['domain=EXAMPLE.com&role=user', ['b@example.com']],
        ['email=C%40other.example', ['c@other.example']],
        ['createdSince=2100-01-01T00:00:00Z', []],
        ['seenBefore=2100-01-01T00:00:00Z&q=b%40', ['b@example.com']],
      ] as const) {
        expect(await emailsOf(query), query).to.deep.equal(emails);
      }
      const plain = await app.call('/v1/users/export?status=suspended', { as: 'admin@example.com' });
      expect(plain.headers.get('content-type')).to.match(/^application\/x-ndjson/);
      expect(JSON.parse(await plain.text())).to.include({ email: 'c@other.example' });
      for (const query of ['format=xlsx', 'role=king', 'createdSince=yesterday', 'sort=email']) {
        const refused = await app.call(`/v1/users/export?${query}`, { as: 'admin@example.com' });
        await expectProblem(refused, 400, 'invalid_query');
      }
    });

    it('is refused for any other type', async () => {
      await expectProblem(await fetchAll('application/json'), 406, 'not_acceptable');
    });

    it('answers HEAD with the headers alone', async () => {
      const response = await app.call('/v1/users/export', { as: 'admin@example.com', method: 'HEAD' });
      expect(response.status).to.equal(200);
      expect(response.headers.get('content-disposition')).to.equal('attachment; filename="accounts.ndjson"');
      expect(await response.text()).to.equal('');
    });

    for (const type of [NDJSON, CSV]) {
      it(`can be imported unchanged as ${type}, with formulas disarmed`, async () => {
        const names = [
          '=1+1',
          '+49',
          '-1',
          '@x',
          "'=1",
          "''@",
          "'quoted'",
          '\tx',
          '\rx',
          '\nx',
          '"',
          ',',
          '😀',
          '＝1',
        ];
        // Names may have neither control characters nor blanks alone; preferences may have both.
        const nameOf = (text: string) => (/[\t\r\n]|^ $/.test(text) ? null : text);
        for (const [at, text] of names.entries()) {
          await addAccount(app.database, `=p${at}@example.com`, {
            name: nameOf(text),
            preferences: { name: text, n: [1.5, null] },
          });
        }
        const text = await (await fetchAll(type)).text();
        if (type === CSV) expect(text).to.not.match(/(^|,|\n)"?[=+@\t-]/m);
        const equal = await send(text, type, '?mode=upsert');
        expect(await equal.json()).to.include({ unchanged: names.length + 1, failed: 0 });
        await app.database.query(`delete from users where role = 'user'`);
        const again = await send(text, type, '?mode=upsert');
        expect(await again.json()).to.include({ created: names.length, unchanged: 1 });
        const stored = (await accountsIn(app.database)).slice(1);
        expect(stored.map(({ name }) => name)).to.deep.equal(names.map(nameOf));
        expect(stored.map(({ preferences }) => preferences?.['name'])).to.deep.equal(names);
      });
    }

    it('can be opened in Excel: with a byte order mark and any separator on request, and no formula at any of them', async () => {
      const names = ['=1+1', 'a;=1', 'a,+1', '@x,;-1', "'=1", 'Jürgen'];
      for (const [at, name] of names.entries()) {
        await addAccount(app.database, `p${at}@example.com`, { name, preferences: { [name]: name } });
      }
      for (const [separator, character] of Object.entries({ comma: ',', semicolon: ';', tab: '\t' })) {
        const response = await app.call(`/v1/users/export?bom=true&separator=${separator}`, {
          as: 'admin@example.com',
          headers: { Accept: CSV },
        });
        const bytes = Buffer.from(await response.arrayBuffer());
        expect(bytes.toString('latin1', 0, 3)).to.equal('\xef\xbb\xbf');
        const text = bytes.toString('utf8', 3);
        expect(text.split('\r\n')[0]).to.equal(
          ['id', 'email', 'name', 'role', 'status', 'storageMode', 'preferences', 'version', 'createdAt']
            .concat('updatedAt', 'roleUntil', 'lastSeenAt')
            .join(character),
        );
        // Also for a reader that does not know quotes.
        for (const cell of text.split(/[,;\t\r\n]"?/)) expect(cell).not.to.match(/^[=+@-]/);
        const report = await (await send(bytes.toString(), CSV, '?mode=upsert')).json();
        expect(report).to.include({ unchanged: names.length + 1, failed: 0 });
      }
      const plain = Buffer.from(await (await fetchAll(CSV)).arrayBuffer());
      expect(plain.toString('latin1', 0, 3)).to.equal('id,');
      const lines = await app.call('/v1/users/export?bom=true', { as: 'admin@example.com' });
      expect(Buffer.from(await lines.arrayBuffer())[0]).to.equal('{'.charCodeAt(0));
      for (const query of ['bom=yes', 'separator=pipe']) {
        const refused = await app.call(`/v1/users/export?${query}`, { as: 'admin@example.com' });
        await expectProblem(refused, 400, 'invalid_query');
      }
    });

    it('is a consistent snapshot despite concurrent writes', async () => {
      await fill(20_000);
      const response = await fetchAll();
      const reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array>;
      let text = Buffer.from((await reader.read()).value ?? []).toString();
      await app.database.query(`update users set name = 'changed'`);
      await addAccount(app.database, 'late@example.com');
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        text += Buffer.from(part.value).toString();
      }
      expect(text.match(/\n/g)).to.have.length(20_001);
      expect(text).to.not.include('changed').and.not.include('late@example.com');
    });

    it('releases its connection when the caller hangs up: twenty times, with a pool of ten', async () => {
      await fill(20_000);
      const token = await signHs256(SECRET, 'admin@example.com', '1h');
      for (let at = 0; at < 20; at++) {
        const socket = await dial(app.url);
        socket.write(`GET /v1/users/export HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`);
        await once(socket, 'data');
        socket.destroy();
      }
      await connectionsAtRest();
      const response = await fetchAll();
      expect((await response.text()).match(/\n/g)).to.have.length(20_001);
      expect(app.log.filter(({ level }) => Number(level) >= 50)).to.deep.equal([]);
    });

    /** Begins an export and stops reading it: it fetches only what is read, so it pauses far from its end. `read` is what has come. */
    const pausedExport = async (url: string) => {
      const token = await signHs256(SECRET, 'admin@example.com', '1h');
      const socket = await dial(url);
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
      });
      socket.write(
        `GET /v1/users/export HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      );
      await once(socket, 'data');
      socket.pause();
      return { socket, read: () => text };
    };

    it('does not pass for complete when its database session ends halfway', async () => {
      await fill(50_000);
      const { socket, read } = await pausedExport(app.url);
      const ended = await app.database.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name = 'rollcall' and query like 'fetch%'`,
      );
      expect(ended).to.have.length(1);
      socket.resume();
      await closed(socket);
      expect(read()).to.match(/^HTTP\/1.1 200 /);
      // The last chunk (RFC 9112, section 7.1) marks a body as complete.
      expect(read().endsWith('0\r\n\r\n')).to.equal(false);
      await connectionsAtRest();
      expect(await (await fetchAll()).text()).to.include('p50000@example.com');
    });

    for (const [how, lose] of [
      ['suspended', () => app.database.query(`update users set status = 'suspended' where id = 1`)],
      ['no admin any more', () => app.database.query(`update users set role = 'user' where id = 1`)],
      ['deleted', () => app.database.query('delete from users where id = 1')],
    ] as const) {
      it(`is cut off, and does not pass for complete, when its admin is ${how}, however slowly it is read`, async () => {
        await fill(50_000);
        const other = await startApp({ database: app.database, streamTimes: { recheckMs: 50 } });
        try {
          const { socket, read } = await pausedExport(other.url);
          await lose();
          await until('the answer to be cut short', () =>
            other.log.some(({ msg }) => msg === 'answer cut short'),
          );
          await connectionsAtRest();
          socket.on('error', () => undefined);
          socket.resume();
          await closed(socket);
          expect(read()).to.match(/^HTTP\/1.1 200 /);
          expect(read().endsWith('0\r\n\r\n')).to.equal(false);
          expect(read()).to.not.include('p50000@example.com');
        } finally {
          await other.drain(1_000);
          await other.orm.close(true);
        }
      });
    }

    it('answers 503 during a database outage', async () => {
      const proxy = await startProxy(app.database.url);
      const other = await startApp({ database: app.database, through: proxy.url });
      try {
        const warm = await other.call('/v1/users/export', { as: 'admin@example.com' });
        expect((await warm.text()).trim().split('\n')).to.have.length(1);
        await proxy.cut();
        const response = await other.call('/v1/users/export', { as: 'admin@example.com' });
        await expectProblem(response, 503, 'database_unavailable');
      } finally {
        await other.drain(1_000);
        await proxy.close();
        await other.orm.close(true);
      }
    });
  });
});
