import { expect } from 'chai';
import pino from 'pino';
import type { Store } from '../../../src/boot/open-store.ts';
import { openStore } from '../../../src/boot/open-store.ts';
import { dueStatement, startDormancy, suspendDormant } from '../../../src/services/accounts/dormancy.ts';
import { verifyHistory } from '../../../src/services/history/verification.ts';
import { addAccount } from '../../support/accounts.ts';
import { createMigratedDatabase, type TestDatabase } from '../../support/database.ts';
import { planOf } from '../../support/plans.ts';
import { until } from '../../support/until.ts';

const DAYS = 90;
const { signal } = new AbortController();

describe('dormant accounts', () => {
  let database: TestDatabase;
  let store: Store;

  beforeEach(async () => {
    database = await createMigratedDatabase();
    store = await openStore({ database, mode: 'direct' });
    await addAccount(database, 'root@example.com', { role: 'admin' });
    await database.query(`update sightings set last_seen_at = now()`);
  });

  afterEach(async () => {
    await store.close();
    await database.drop();
  });

  /** Adds an account that was last seen, and has existed, for so many days; `null`: it was never seen. */
  const add = async (
    email: string,
    { seen = 91, role = 'user' }: { seen?: number | null; role?: string } = {},
  ) => {
    const { id } = await addAccount(database, email, { role });
    const at = seen === null ? `'-infinity'` : `now() - ${seen} * interval '1 day'`;
    await database.query(
      `update sightings set last_seen_at = ${at}, since = now() - interval '1 year' where user_id = $1`,
      [id],
    );
    return id;
  };
  const suspended = async () =>
    (
      await database.query<{ email: string }>(
        `select email from users where status = 'suspended' order by email`,
      )
    )
      .map(({ email }) => email.split('@')[0])
      .join(' ');
  const suspend = () => suspendDormant(store.inUnit, DAYS, signal);

  it('are suspended once they have been absent for long, recorded by the author dormancy', async () => {
    await add('gone@example.com');
    await add('never@example.com', { seen: null });
    await add('here@example.com', { seen: 89 });
    const created = await add('created@example.com', { seen: null });
    await database.query(`update users set created_at = now() - interval '80 days' where id = $1`, [created]);
    const unknown = await add('unknown@example.com', { seen: null });
    await database.query(`update sightings set since = now() - interval '1 day' where user_id = $1`, [
      unknown,
    ]);
    const restored = await add('restored@example.com');
    await database.query(
      `insert into changes (at, actor, user_id, action, before, after, fields, version)
       values (now() - interval '1 day', 'test', $1, 'updated', '{"status":"suspended"}', '{"status":"active"}', '{status}', 2)`,
      [restored],
    );
    const signedIn = await add('signed-in@example.com');
    await database.query(
      `insert into identities (user_id, issuer, subject, email, last_seen_at) values ($1, 'i', 's', 'x', now() - interval '2 days')`,
      [signedIn],
    );
    expect(await suspend()).to.deep.equal({ suspended: 2, lastAdmin: undefined });
    expect(await suspended()).to.equal('gone never');
    const entries = await database.query(
      `select actor, actor_id, request_id, before, after, version from changes where actor = 'dormancy'`,
    );
    // One for the whole run, by which it can be undone.
    const [{ request_id: runId }] = entries as [{ request_id: string }];
    expect(runId).to.match(/^[0-9a-f-]{36}$/);
    expect(entries).to.deep.equal(
      Array(2).fill({
        actor: 'dormancy',
        actor_id: null,
        request_id: runId,
        before: { status: 'active' },
        after: { status: 'suspended' },
        version: 2,
      }),
    );
    expect(await suspend()).to.deep.equal({ suspended: 0, lastAdmin: undefined });
    await database.query(`delete from changes where user_id in ($1, $2)`, [restored, signedIn]);
    await database.query(`delete from users where id in ($1, $2)`, [restored, signedIn]);
    // Made up above, and not by the service.
    await database.query('delete from changes where user_id = $1', [created]);
    await database.query('delete from users where id = $1', [created]);
    expect(await verifyHistory(store.orm.em)).to.include({ wrong: 0 });
  });

  it('stay where one is the last active admin, which is said', async () => {
    await database.query(
      `update sightings set last_seen_at = now() - interval '1 year', since = '2020-01-01'`,
    );
    await add('other@example.com', { role: 'admin', seen: 500 });
    await add('gone@example.com');
    const lines: Record<string, unknown>[] = [];
    const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
    const stop = startDormancy({
      inUnit: store.inUnit,
      log,
      suspendAfterDays: DAYS,
      pauses: { firstMs: 1, retryMs: 50, roundMs: 3_600_000 },
    });
    try {
      await until('the warning', () => lines.length === 2);
      expect(lines.map(({ msg, accounts, account }) => [msg, accounts ?? account])).to.deep.equal([
        ['dormant accounts suspended', 2],
        [
          'dormant account stays active, because it is the last active admin; sign in with it, or make another account an admin',
          1,
        ],
      ]);
      expect(await suspended()).to.equal('gone other');
    } finally {
      await stop();
    }
  });

  it('are suspended once each by two servers, many at a time, and locked ones the next time', async () => {
    await database.query(
      `insert into users (email, created_at) select 'p' || i || '@example.com', now() - interval '1 year' from generate_series(1, 250) i`,
    );
    await database.query(`update sightings set since = now() - interval '1 year' where user_id > 1`);
    const holder = await database.connect();
    await holder.query(`begin; select from users where email = 'p7@example.com' for update`);
    const rounds = await Promise.all([suspend(), suspend()]);
    expect(rounds.reduce((sum, round) => sum + round.suspended, 0)).to.equal(249);
    await holder.query('commit');
    expect((await suspend()).suspended).to.equal(1);
    const [count] = await database.query(
      `select count(*)::int as entries, count(distinct user_id)::int as accounts from changes where actor = 'dormancy'`,
    );
    expect(count).to.deep.equal({ entries: 250, accounts: 250 });
  });

  it('cost the same however many were suspended before them, and never the history of all accounts', async () => {
    await database.query(
      `insert into users (email, created_at, status)
       select 'p' || i || '@example.com', now() - interval '2 years', case when i > 5000 then 'active' else 'suspended' end
         from generate_series(1, 25000) i`,
    );
    await database.query(
      `update sightings set last_seen_at = now() - interval '1 year' + user_id * interval '1 second', since = '2020-01-01' where user_id > 1`,
    );
    await database.query(
      `insert into changes (at, actor, user_id, action, before, after, fields, version)
       select now(), 'test', id, 'updated', '{"status":"active"}', '{"status":"suspended"}', '{status}', 2
         from users where status = 'suspended'`,
    );
    await database.query('vacuum analyze users, sightings, changes');
    const [last] = await database.query<{ id: number; at: string }>(
      `select user_id as id, last_seen_at::text as at from sightings join users on id = user_id where status = 'suspended' order by last_seen_at desc limit 1`,
    );
    const statement = dueStatement({
      days: DAYS,
      ofAdmins: false,
      except: [],
      size: 100,
      after: [`${last?.at}`, Number(last?.id)],
    });
    for (const step of await planOf(database, statement)) {
      const rows = (step['Actual Rows'] + (step['Rows Removed by Filter'] ?? 0)) * step['Actual Loops'];
      expect(rows, step['Node Type']).to.be.at.most(101);
    }
  });

  it('are nobody without the setting', async () => {
    await add('gone@example.com');
    const stop = startDormancy({
      inUnit: store.inUnit,
      log: pino({ enabled: false }),
      suspendAfterDays: 0,
      pauses: { firstMs: 0, retryMs: 1, roundMs: 1 },
    });
    await stop();
    expect(await suspended()).to.equal('');
  });
});
