import { expect } from 'chai';
import pino from 'pino';
import { openStore } from '../../../src/boot/open-store.ts';
import { signHs256 } from '../../../src/security/hmac.ts';
import { RefusedSignInCounter } from '../../../src/services/access/refused-sign-ins.ts';
import { startEraser } from '../../../src/services/history/eraser.ts';
import { addAccount } from '../../support/accounts.ts';
import { SECRET } from '../../support/app.ts';
import { createMigratedDatabase, type TestDatabase } from '../../support/database.ts';
import { startProxy } from '../../support/proxy.ts';
import { type ServerProcess, startServer } from '../../support/server-process.ts';
import { until } from '../../support/until.ts';

const FAILED = 'erasure failed; retrying at retryAt; if it fails again, mend what err says';

describe('the eraser', () => {
  let database: TestDatabase;
  let servers: ServerProcess[];

  beforeEach(async () => {
    database = await createMigratedDatabase();
    servers = [];
  });

  afterEach(async () => {
    await Promise.all(servers.map((server) => server.end('SIGKILL')));
    await database.drop();
  });

  const start = (env: NodeJS.ProcessEnv = {}) => {
    const server = startServer({
      DATABASE_URL: database.url,
      INITIAL_ADMINS: 'ada@example.com',
      ...env,
    });
    servers.push(server);
    return server;
  };
  /** Adds accounts that were deleted long ago: their history begins and ends in 2020. */
  const addDeleted = async (...emails: string[]) => {
    for (const email of emails) {
      const { id } = await addAccount(database, email);
      await database.query(
        `insert into changes (at, actor, user_id, action, before, fields, version)
         select at + interval '1 minute', 'test', user_id, 'deleted', after, fields, 2 from changes where user_id = $1`,
        [id],
      );
      await database.query('delete from users where id = $1', [id]);
    }
  };
  const unerased = () =>
    database.query(`select 1 from changes where before is not null and erased_at is null`);
  const allErased = () => until('the erasure of all', async () => (await unerased()).length === 0);

  it('erases what is due soon after the start, and logs the number of accounts but not their emails', async () => {
    await addDeleted('grace@example.com', 'alan@example.com');
    const server = start();
    expect(await server.said('deleted accounts erased')).to.include({ accounts: 2 });
    await allErased();
    expect(JSON.stringify(server.lines)).not.to.match(/grace|alan/);
    expect(await server.end('SIGTERM')).to.equal(0);
  });

  it('deletes old refused sign-ins, even when no sign-in is refused any more', async () => {
    await database.query(
      `insert into refused_sign_ins (email, reason, last_at) values
         ('old@example.net', 'account_required', now() - interval '31 days'),
         ('young@example.net', 'account_required', now() - interval '29 days')`,
    );
    const server = start();
    await server.ready();
    const emails = () => database.query('select email from refused_sign_ins order by email');
    await until('the end of the old sign-in', async () => (await emails()).length <= 1);
    expect(await emails()).to.deep.equal([{ email: 'young@example.net' }]);
    expect(await server.end('SIGTERM')).to.equal(0);
  });

  it('deletes sessions of the console that have ended, and codes that have expired', async () => {
    const { id } = await addAccount(database, 'grace@example.com');
    await database.query(
      `insert into console_sessions (digest, account_id, door, last_used_at, expires_at) values
         ('idle', $1, 'code', now() - interval '31 minutes', now() + interval '1 hour'),
         ('old', $1, 'code', now(), now() - interval '1 minute'),
         ('used', $1, 'code', now() - interval '20 minutes', now() + interval '1 hour')`,
      [id],
    );
    await database.query(
      `insert into console_codes (digest, account_id, expires_at) values
         ('late', $1, now() - interval '1 second'), ('good', $1, now() + interval '1 hour')`,
      [id],
    );
    const server = start();
    await server.ready();
    const left = () =>
      database.query(
        `select digest from console_sessions union all select digest from console_codes order by 1`,
      );
    await until('the sessions are deleted', async () => (await left()).length === 2);
    expect(await left()).to.deep.equal([{ digest: 'good' }, { digest: 'used' }]);
    expect(await server.end('SIGTERM')).to.equal(0);
  });

  it('deletes all stored answers that are older than a day', async () => {
    await database.query(
      `insert into kept_answers (digest, at)
       select 'old ' || n, now() - interval '25 hours' from generate_series(1, 20001) as n
       union all select 'young', now() - interval '23 hours'`,
    );
    const server = start();
    await server.ready();
    const digests = () => database.query('select digest from kept_answers');
    await until('the end of the old answers', async () => (await digests()).length <= 1);
    expect(await digests()).to.deep.equal([{ digest: 'young' }]);
    expect(await server.end('SIGTERM')).to.equal(0);
  });

  it('erases each account once when several servers run', async () => {
    await addDeleted(...Array.from({ length: 50 }, (_, n) => `u${n}@example.com`));
    const replicas = [start(), start()];
    await Promise.all(replicas.map((server) => server.ready()));
    await allErased();
    expect(await Promise.all(replicas.map((server) => server.end('SIGTERM')))).to.deep.equal([0, 0]);
    const erasedCounts = replicas
      .flatMap(({ lines }) => lines)
      .filter(({ msg }) => msg === 'deleted accounts erased')
      .map(({ accounts }) => accounts as number);
    expect(erasedCounts.reduce((sum, count) => sum + count, 0)).to.equal(50);
  });

  it('survives a database outage', async () => {
    const proxy = await startProxy(database.url);
    const server = start({ DATABASE_URL: proxy.url });
    const address = await server.ready();
    await proxy.cut();
    expect(await server.said(FAILED)).to.include({ level: 40 });
    expect((await fetch(new URL('/healthz', address))).status).to.equal(200);
    expect(await server.end('SIGTERM')).to.equal(0);
    await proxy.close();
  });

  it('prunes all the same where an erasure fails, says when it tries again, and does so sooner than in an hour', async () => {
    await addDeleted('grace@example.com');
    await database.query(`
      create function refuse() returns trigger language plpgsql as $$ begin raise exception 'the disk is broken'; end $$;
      create trigger refuse before update on changes for each row execute function refuse()`);
    await database.query(`insert into kept_answers (digest, at) values ('old', now() - interval '25 hours')`);
    await database.query(
      `insert into refused_sign_ins (email, reason, last_at) values ('old@example.net', 'account_required', now() - interval '31 days')`,
    );
    const store = await openStore({ database, mode: 'direct' });
    const lines: Record<string, unknown>[] = [];
    const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
    const stop = startEraser({
      inUnit: store.inUnit,
      refusedSignIns: new RefusedSignInCounter(),
      log,
      eraseAfterDays: 30,
      pauses: { firstMs: 1, retryMs: 50, roundMs: 3_600_000 },
    });
    try {
      const counts = () =>
        database.query(
          'select (select count(*)::int from kept_answers) + (select count(*)::int from refused_sign_ins) as rest',
        );
      await until('both to be pruned', async () => (await counts())[0]?.['rest'] === 0);
      await until('three failures', () => lines.length >= 3);
      const pauses = lines.map(({ time, retryAt }) => Date.parse(`${retryAt}`) - Number(time));
      for (const line of lines) expect(line).to.include({ msg: FAILED, part: 'deleted accounts', level: 40 });
      expect(JSON.stringify(lines)).to.include('the disk is broken');
      expect(pauses[2]).to.be.greaterThan(pauses[0] as number);
      await database.query('drop trigger refuse on changes');
      await allErased();
    } finally {
      await stop();
      await store.close();
    }
  });

  it('lets the server stop while an erasure is running', async () => {
    await addDeleted('grace@example.com');
    const blocker = await database.connect();
    await blocker.query('begin');
    await blocker.query(`select 1 from changes where action = 'created' for update`);
    const server = start();
    await server.ready();
    const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await until('an erasure that waits', async () => (await database.query(waiting)).length > 0);
    expect(await server.end('SIGTERM')).to.equal(0);
    expect(server.lines.map(({ msg }) => msg)).not.to.include(
      'closing took too long; ended without it; if this repeats, check the database',
    );
    await blocker.query('rollback');
    expect(await unerased()).to.have.length(1);
  });

  it('has nothing to do when deletions are final', async () => {
    const address = await start({
      ERASE_AFTER_DAYS: '0',
      INITIAL_ADMINS: 'ada@example.com,grace@example.com',
    }).ready();
    const headers = { Authorization: `Bearer ${await signHs256(SECRET, 'grace@example.com', '1h')}` };
    const response = await fetch(new URL('/v1/me', address), { method: 'DELETE', headers });
    expect(response.status).to.equal(204);
    const history = JSON.stringify(await database.query('select * from changes'));
    expect(history).to.include('deleted').and.not.to.include('grace@');
  });
});
