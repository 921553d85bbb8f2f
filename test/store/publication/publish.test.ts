import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type pg from 'pg';
import { COMMAND_LINE } from '../../../src/domain/author.ts';
import { eraseAccounts } from '../../../src/services/history/erasure.ts';
import {
  CannotPublish,
  publicationSql,
  publishAccounts,
  unpublishAccounts,
} from '../../../src/store/publication/publish.ts';
import { publicationFaults } from '../../../src/store/publication/survey.ts';
import { unitsOfWork } from '../../../src/store/unit-of-work.ts';
import { accountsIn, addAccount } from '../../support/accounts.ts';
import { startApp, type TestApp } from '../../support/app.ts';
import { createEmptyDatabase, createMigratedDatabase } from '../../support/database.ts';
import { visitor } from '../../support/history.ts';
import { until } from '../../support/until.ts';

const ADA = 'ada@example.com';
const GRACE = 'grace@example.com';
const EVE = 'eve@example.com';

/** What an app does on a table of its own. */
const NOTES = `
  create table notes (id serial primary key, owner int not null references rollcall.account_ids, text text not null);
  create index notes_owner_index on notes (owner)`;

describe("the accounts, published to the app's own tables", function () {
  this.timeout(120_000);

  let app: TestApp;
  /** The app's role, which has no rights but those that it is given. */
  let role: string;
  let visit: ReturnType<typeof visitor>;
  let ada: number;
  let grace: number;
  let eve: number;

  beforeEach(async () => {
    const database = await createMigratedDatabase();
    // As the service's own sessions have it, whatever the role is called.
    await (await database.connect()).query(`alter database "${database.name}" set search_path = public`);
    app = await startApp({ database });
    role = `${database.name}_app`;
    visit = visitor(app, ADA);
    await database.query(`create role "${role}" login password 'secret'`);
    ada = (await addAccount(database, ADA, { role: 'admin', preferences: { theme: 'dark' } })).id;
    grace = (await addAccount(database, GRACE, { name: 'Grace' })).id;
    eve = (await addAccount(database, EVE)).id;
  });

  afterEach(async () => {
    await app.database.query(`drop owned by "${role}"; drop role "${role}"`);
    await app.close();
  });

  const em = () => app.orm.em.fork();
  const publish = (to: string | null = role) => publishAccounts(em(), to ?? undefined);

  /** Runs a statement as the app, in a transaction in which it works for an account. */
  const asApp = async <Row extends pg.QueryResultRow>(
    sql: string,
    account?: number | string,
    values: unknown[] = [],
  ): Promise<Row[]> => {
    const client = await app.database.connect();
    try {
      await client.query(`set role "${role}"`);
      await client.query('begin');
      if (account !== undefined)
        await client.query(`select set_config('rollcall.account', $1, true)`, [`${account}`]);
      const { rows } = await client.query<Row>(sql, values);
      await client.query('commit');
      return rows;
    } finally {
      await client.end();
    }
  };
  const planAsApp = async (sql: string, account: number, values: unknown[] = []) =>
    (await asApp(`explain (analyze, costs off, timing off, summary off) ${sql}`, account, values))
      .map((line) => line['QUERY PLAN'])
      .join('\n');
  const failure = (work: Promise<unknown>): Promise<Error> =>
    work.then(
      () => expect.fail('It was not refused.'),
      (error: Error) => error,
    );
  const refusal = async (work: Promise<unknown>): Promise<string> => (await failure(work)).message;
  const ids = () =>
    app.database.query<{ id: number; isDeleted: boolean }>(
      'select id, deleted_at is not null as "isDeleted" from rollcall.account_ids order by id',
    );
  const published = () =>
    app.database.query(`
      select relname::text as name, relkind::text as kind, relacl::text as rights, obj_description(oid, 'pg_class') as comment
        from pg_class where relnamespace = to_regnamespace('rollcall')
      union all
      select proname, prokind::text, proacl::text, obj_description(oid, 'pg_proc') from pg_proc where pronamespace = to_regnamespace('rollcall')
      union all
      select tgname, tgenabled::text, null, null from pg_trigger where tgrelid = 'users'::regclass and tgname like 'users_keep%'
       order by 1`);
  /** What of the ids does not agree with the accounts. */
  const wrongIds = () =>
    app.database.query(`
      select id from users full join rollcall.account_ids using (id)
       where users.id is null and deleted_at is null or users.id is not null and deleted_at is not null or account_ids.id is null`);

  it('are a view with columns of its own', async () => {
    await publish();
    const [row] = await asApp(`select * from rollcall.accounts where email = '${ADA}'`);
    const { created_at: createdAt, updated_at: updatedAt, ...values } = row ?? {};
    expect(values).to.deep.equal({
      id: ada,
      email: ADA,
      name: null,
      role: 'admin',
      status: 'active',
      storage_mode: 'local',
      preferences: { theme: 'dark' },
      version: 1,
      last_seen_at: null,
    });
    expect(createdAt).to.deep.equal(updatedAt);
    await visit.done(200, 'PATCH', '/v1/me', { name: 'Ada' });
    expect(await asApp(`select name, version from rollcall.accounts where id = ${ada}`)).to.deep.equal([
      { name: 'Ada', version: 2 },
    ]);
    const types = await app.database.query<{ type: string }>(
      `select distinct format_type(atttypid, atttypmod) as type from pg_attribute
        where attrelid = 'rollcall.accounts'::regclass and attnum > 0 order by 1`,
    );
    expect(types.map(({ type }) => type)).to.deep.equal([
      'integer',
      'jsonb',
      'text',
      'timestamp with time zone',
    ]);
  });

  it('show the role of an admin whose time is over as that of a user', async () => {
    await publish();
    await app.database.query(
      `insert into users (email, role, role_until) values ('late@example.com', 'admin', now() - interval '1 second')`,
    );
    expect(await asApp(`select role from rollcall.accounts where email = 'late@example.com'`)).to.deep.equal([
      { role: 'user' },
    ]);
  });

  it('are found by their emails and ids with an index', async () => {
    await publish();
    await app.database.query(
      `insert into users (email) select n || '@example.com' from generate_series(1, 5000) as n; analyze users`,
    );
    expect(await planAsApp('select id from rollcall.accounts where email = $1', ada, [GRACE])).to.match(
      /Index .*using users_email/,
    );
    expect(await planAsApp('select email from rollcall.accounts where id = $1', ada, [grace])).to.match(
      /Index .*using users_pkey/,
    );
  });

  it('are joined by an index, whoever is asked for', async () => {
    await publish();
    await app.database.query(`
      insert into users (email) select n || '@example.com' from generate_series(1, 5000) as n;
      ${NOTES};
      insert into notes (owner, text) select id, 'mine' from users;
      grant select on notes to "${role}";
      analyze users; analyze sightings; analyze notes`);
    const plan = await planAsApp(
      'select text, email, role from notes join rollcall.accounts on accounts.id = owner where notes.id = $1',
      ada,
      [7],
    );
    expect(plan)
      .to.match(/Index .*using users_pkey/)
      .and.not.match(/Seq Scan on users/);
  });

  it('cannot be written, neither by the app nor by the owner', async () => {
    await publish();
    expect(await refusal(asApp(`update rollcall.accounts set name = 'X'`))).to.include('permission denied');
    expect(await refusal(asApp('select from public.users'))).to.include('permission denied');
    expect(await refusal(asApp('delete from rollcall.account_ids'))).to.include('permission denied');
    for (const statement of [
      `update rollcall.accounts set role = 'admin' where id = ${grace}`,
      `delete from rollcall.accounts`,
      `insert into rollcall.accounts (email) values ('new@example.com')`,
    ])
      expect(await refusal(app.database.query(statement))).to.include('change accounts through Rollcall');
    expect((await accountsIn(app.database)).map(({ version }) => version)).to.deep.equal([1, 1, 1]);
  });

  it('are closed to every other role', async () => {
    await publish(null);
    for (const sql of [
      'select from rollcall.accounts',
      'select from rollcall.account_ids',
      'select rollcall.current_account()',
    ])
      expect(await refusal(asApp(sql)), sql).to.include('permission denied for schema rollcall');
    await app.database.query(`grant usage on schema rollcall to "${role}"`);
    expect(await refusal(asApp('select rollcall.current_account()'))).to.include(
      'permission denied for function',
    );
  });

  it('leave what points at them alone when they are deleted, come back or are erased', async () => {
    await publish();
    await app.database.query(NOTES);
    await app.database.query(`insert into notes (owner, text) values (${grace}, 'hers')`);
    const stateOfGrace = async () => (await ids()).find(({ id }) => id === grace)?.isDeleted;
    expect(await stateOfGrace()).to.equal(false);
    await visit.done(204, 'DELETE', `/v1/users/${grace}`);
    expect(await stateOfGrace()).to.equal(true);
    expect(await asApp('select id from rollcall.accounts order by id')).to.deep.equal([
      { id: ada },
      { id: eve },
    ]);
    const [deletion] = await visit.history({ limit: '1' });
    await visit.done(200, 'POST', `/v1/history/${deletion?.id}/undo`);
    expect(await stateOfGrace()).to.equal(false);
    expect(
      await app.database.query('select email, text from notes join rollcall.accounts on accounts.id = owner'),
    ).to.deep.equal([{ email: GRACE, text: 'hers' }]);
    await unitsOfWork(app.orm, COMMAND_LINE)((unit) => eraseAccounts(unit, GRACE));
    expect(await stateOfGrace()).to.equal(true);
    expect(await app.database.query('select text from notes')).to.deep.equal([{ text: 'hers' }]);
    // What the app keeps for nobody any more, once an undo is out of the question.
    await app.database.query(`
      delete from notes using rollcall.account_ids as ids where ids.id = owner and ids.deleted_at < now() + interval '1 day'`);
    expect(await app.database.query('select text from notes')).to.deep.equal([]);
    // A dry run and a refused write leave no trace there either.
    await visit.done(200, 'DELETE', `/v1/users/${eve}?dryRun=true`);
    await visit.done(409, 'POST', '/v1/users', { email: EVE });
    expect(await wrongIds()).to.deep.equal([]);
  });

  it('are followed in bulk and by an import', async () => {
    await publish();
    const lines = Array.from({ length: 500 }, (_, n) => `{"email":"n${n}@example.com"}\n`).join('');
    const response = await app.call('/v1/users/import', {
      method: 'POST',
      as: ADA,
      headers: { 'Content-Type': 'application/x-ndjson' },
      body: lines,
    });
    expect(response.status).to.equal(200);
    await response.text();
    expect(await ids()).to.have.length(503);
    const added = (await accountsIn(app.database)).slice(3).map(({ id }) => id);
    await visit.done(200, 'POST', '/v1/users/bulk', { delete: true, ids: added });
    expect((await ids()).filter(({ isDeleted }) => isDeleted)).to.have.length(500);
    expect(await wrongIds()).to.deep.equal([]);
  });

  it('keep the rows of one account from another', async () => {
    await publish();
    await app.database.query(`${NOTES};
      alter table notes enable row level security;
      create policy own on notes using (owner = (select rollcall.current_account()));
      create policy admins on notes for select using ((select rollcall.is_admin()));
      grant select, insert, update, delete on notes to "${role}";
      grant usage on sequence notes_id_seq to "${role}"`);
    for (const account of [grace, eve])
      await asApp(`insert into notes (owner, text) values (${account}, 'of ${account}')`, account);
    const texts = async (account?: number | string) =>
      (await asApp<{ text: string }>('select text from notes order by owner', account)).map(
        ({ text }) => text,
      );
    expect(await texts(grace)).to.deep.equal([`of ${grace}`]);
    expect(await texts(eve)).to.deep.equal([`of ${eve}`]);
    expect(await texts(ada)).to.deep.equal([`of ${grace}`, `of ${eve}`]);
    // Nobody in particular, nobody at all, and no number.
    expect(await texts()).to.deep.equal([]);
    expect(await texts('')).to.deep.equal([]);
    expect(await texts(999_999)).to.deep.equal([]);
    expect(await refusal(texts('1 or true'))).to.include('invalid input syntax');
    expect(await refusal(texts('2147483648'))).to.include('out of range');
    expect(
      await refusal(asApp(`insert into notes (owner, text) values (${eve}, 'forged')`, grace)),
    ).to.include('policy');
    expect(await refusal(asApp(`update notes set owner = ${eve}`, grace))).to.include('policy');
    await asApp('delete from notes', eve);
    expect(await texts(ada)).to.deep.equal([`of ${grace}`]);
    // Whoever is suspended, or no longer an admin, loses that here too, in the next transaction.
    await visit.done(200, 'PATCH', `/v1/users/${grace}`, { status: 'suspended' });
    expect(await texts(grace)).to.deep.equal([]);
    await app.database.query(`update users set role = 'user' where id = ${ada}`);
    expect(await texts(ada)).to.deep.equal([]);
  });

  it('keep the rows of one tenant from another', async () => {
    await publish();
    await app.database.query(`
      create table tenants (id int primary key);
      create table members (
        tenant int references tenants, account int references rollcall.account_ids, primary key (account, tenant)
      );
      create table documents (id serial primary key, tenant int not null references tenants, author int references rollcall.account_ids, title text);
      create index documents_tenant_index on documents (tenant);
      insert into tenants values (1), (2);
      insert into members values (1, ${grace}), (2, ${eve}), (1, ${ada}), (2, ${ada});
      alter table members enable row level security;
      alter table documents enable row level security;
      create policy own on members using (account = (select rollcall.current_account()));
      create policy tenant on documents using (
        tenant in (select tenant from members where account = (select rollcall.current_account())));
      grant select on members to "${role}";
      grant select, insert, update, delete on documents to "${role}";
      grant usage on sequence documents_id_seq to "${role}"`);
    const write = (tenant: number, account: number) =>
      asApp(
        `insert into documents (tenant, author, title) values (${tenant}, ${account}, 'of ${account}')`,
        account,
      );
    await write(1, grace);
    await write(2, eve);
    expect(await refusal(write(1, eve))).to.include('policy');
    const titles = async (account: number) =>
      (
        await asApp<{ seen: string }>(
          `select title || ' by ' || email as seen from documents join rollcall.accounts on accounts.id = author order by 1`,
          account,
        )
      ).map(({ seen }) => seen);
    expect(await titles(grace)).to.deep.equal([`of ${grace} by ${GRACE}`]);
    expect(await titles(eve)).to.deep.equal([`of ${eve} by ${EVE}`]);
    expect(await titles(ada)).to.have.length(2);
    expect(await asApp('delete from documents returning 1', eve)).to.have.length(1);
    expect(await titles(grace)).to.have.length(1);
    // Nobody's membership is anybody else's to see or to make.
    expect(await asApp('select tenant from members', eve)).to.deep.equal([{ tenant: 2 }]);
    expect(await refusal(asApp(`insert into members values (1, ${eve})`, eve))).to.include(
      'permission denied',
    );
    // Two transactions of one connection, as a pool has it: the second one starts with nobody.
    const client = await app.database.connect();
    await client.query(`set role "${role}"; begin; set local rollcall.account = '${grace}'`);
    expect((await client.query('select from documents')).rowCount).to.equal(1);
    await client.query('commit');
    expect((await client.query('select from documents')).rowCount).to.equal(0);
    await client.end();
  });

  it('are used as the documentation has it', async () => {
    const page = await readFile(join(import.meta.dirname, '../../../docs/app-database.md'), 'utf8');
    const samples = [...page.matchAll(/^```sql\n([\s\S]*?)^```$/gm)].map(([, sql = '']) =>
      sql.replaceAll('browser', `"${role}"`),
    );
    expect(samples).to.have.length(4);
    await publish(null);
    await app.database.query(`${NOTES};
      create table items (owner_id int constraint items_owner_id_fkey references users);
      insert into items values (${grace});
      create table tenants (id bigint primary key);
      insert into tenants values (1);
      create table documents (tenant bigint not null references tenants);
      insert into documents values (1);
      grant select on documents to "${role}"`);
    for (const sql of samples) await app.database.query(sql);
    expect(await asApp('select email from my_account', eve)).to.deep.equal([{ email: EVE }]);
    expect(await asApp('select email from my_account')).to.deep.equal([]);
    expect(await refusal(asApp('select email from rollcall.accounts', eve))).to.include('permission denied');
    await app.database.query(
      `insert into members values (1, ${grace}); grant select on members to "${role}"`,
    );
    expect(await asApp('select tenant from documents', grace)).to.deep.equal([{ tenant: '1' }]);
    expect(await asApp('select tenant from documents', eve)).to.deep.equal([]);
    await visit.done(204, 'DELETE', `/v1/users/${grace}`);
    expect(await app.database.query('select owner_id from items')).to.deep.equal([{ owner_id: grace }]);
  });

  it('are asked once a statement by such a policy, however many rows there are', async () => {
    await publish();
    await app.database.query(`${NOTES};
      insert into notes (owner, text) select ${grace}, '' from generate_series(1, 20000);
      insert into notes (owner, text) values (${ada}, '');
      analyze notes;
      alter table notes enable row level security;
      create policy own on notes using (owner = (select rollcall.current_account()));
      create policy admins on notes for select using ((select rollcall.is_admin()));
      grant select on notes to "${role}"`);
    // Each function is a plan of its own, run once; for one's own rows alone, the index finds them.
    const plan = await planAsApp('select id from notes', ada);
    expect(plan.match(/^ *InitPlan/gm)).to.have.length(2);
    expect(plan).to.not.match(/SubPlan|loops=(?!1\))/);
    await app.database.query('drop policy admins on notes');
    const own = await planAsApp('select id from notes', ada);
    expect(own.match(/^ *InitPlan/gm)).to.have.length(1);
    expect(own).to.match(/Index .*notes_owner_index/);
    expect(own).to.not.match(/SubPlan|loops=(?!1\))/);
  });

  it('have their ids, whatever is created and deleted while they are published', async () => {
    await app.database.query(
      `insert into users (email) select 'n' || n || '@example.com' from generate_series(1, 3000) as n`,
    );
    let isOver = false;
    const writers = Array.from({ length: 4 }, async (_, n) => {
      const client = await app.database.connect();
      for (let round = 0; !isOver && round < 5_000; round++) {
        await client.query('insert into users (email) values ($1)', [`w${n}-${round}@example.com`]);
        await client.query(
          'delete from users where id = (select id from users where id % 4 = $1 order by random() limit 1)',
          [n],
        );
      }
    });
    try {
      for (let round = 0; round < 5; round++) await Promise.all([publish(), publish()]);
    } finally {
      isOver = true;
      await Promise.all(writers);
    }
    expect(await wrongIds()).to.deep.equal([]);
  });

  it('can be published again, which changes nothing', async () => {
    await publish();
    const before = await published();
    expect(before).to.have.length(9);
    await publish();
    await publish(null);
    expect(await published()).to.deep.equal(before);
    expect(await ids()).to.have.length(3);
  });

  it('have their ids also where they were deleted before', async () => {
    await visit.done(204, 'DELETE', `/v1/users/${grace}`);
    await visit.done(204, 'DELETE', `/v1/users/${eve}`);
    const [deletion] = await visit.history({ limit: '1' });
    await visit.done(200, 'POST', `/v1/history/${deletion?.id}/undo`);
    await publish();
    expect(await ids()).to.deep.equal([
      { id: ada, isDeleted: false },
      { id: grace, isDeleted: true },
      { id: eve, isDeleted: false },
    ]);
  });

  it('have their ids again after the triggers were off for a time', async () => {
    await publish();
    await visit.done(204, 'DELETE', `/v1/users/${eve}`);
    await app.database.query(
      'alter table users disable trigger users_keep_ids; alter table users disable trigger users_keep_deleted_ids',
    );
    await visit.done(201, 'POST', '/v1/users', { email: 'new@example.com' });
    await visit.done(204, 'DELETE', `/v1/users/${grace}`);
    const [, deletion] = (await visit.history({ limit: '3' })).filter(({ action }) => action === 'deleted');
    await visit.done(200, 'POST', `/v1/history/${deletion?.id}/undo`);
    expect(await wrongIds()).to.have.length(3);
    await app.database.query(
      'alter table users enable trigger users_keep_ids; alter table users enable trigger users_keep_deleted_ids',
    );
    await publish();
    expect(await wrongIds()).to.deep.equal([]);
  });

  it('do not make the schema differ from the migrations', async () => {
    await publish();
    expect(await app.orm.schema.getUpdateSchemaSQL({ wrap: false })).to.equal('');
  });

  it('are published again after an older version has published them, and withdrawn whole', async () => {
    await publish();
    await app.database.query(`
      comment on schema rollcall is 'Rollcall, version 1: the accounts, for the tables of the app';
      comment on table rollcall.account_ids is 'Rollcall, version 1: the ids of the accounts, deleted ones too, for foreign keys'`);
    expect(await publicationFaults(em())).to.deep.equal([
      'another version of Rollcall has published the accounts',
    ]);
    await publish();
    expect(await publicationFaults(em())).to.deep.equal([]);
    await unpublishAccounts(em());
    expect(await publicationFaults(em())).to.equal(undefined);
    expect(await app.database.query(`select to_regnamespace('rollcall') is null as gone`)).to.deep.equal([
      { gone: true },
    ]);
  });

  it('are withdrawn, unless something of the app depends on them', async () => {
    await publish();
    const before = await published();
    await app.database.query(`${NOTES};
      alter table notes enable row level security;
      create policy own on notes using (owner = (select rollcall.current_account()))`);
    const error = await failure(unpublishAccounts(em()));
    expect(error).to.be.instanceOf(CannotPublish);
    expect(error.message).to.match(/^Something of the app depends on it: drop that first. .*table notes/);
    expect(await published()).to.deep.equal(before);
    await visit.done(201, 'POST', '/v1/users', { email: 'new@example.com' });
    expect(await wrongIds()).to.deep.equal([]);
    await app.database.query('drop table notes');
    await unpublishAccounts(em());
    expect(await published()).to.deep.equal([]);
    await visit.done(204, 'DELETE', `/v1/users/${grace}`);
    // A second time there is nothing to do.
    await unpublishAccounts(em());
    await publish();
    expect(await ids()).to.have.length(4);
    // Tables of others in the schema stay.
    await app.database.query('create table rollcall.others (id int)');
    await unpublishAccounts(em());
    expect((await published()).map(({ name }) => name)).to.deep.equal(['others']);
  });

  it('are not published over something else', async () => {
    await app.database.query('create schema rollcall; create table rollcall.accounts (id int)');
    for (const attempt of [publish, () => publicationSql(em(), undefined), () => unpublishAccounts(em())]) {
      const error = await failure(attempt());
      expect(error).to.be.instanceOf(CannotPublish);
      expect(error.message).to.equal(
        'There is something else under the name rollcall.accounts: rename it first.',
      );
    }
    await app.database.query(
      `drop table rollcall.accounts; create function rollcall.is_admin() returns boolean language sql as 'select true'`,
    );
    expect(await refusal(publish())).to.include('rollcall.is_admin()');
    expect((await published()).map(({ name }) => name)).to.deep.equal(['is_admin']);
  });

  it('are not published to nobody', async () => {
    expect(await refusal(publish('nobody "here"'))).to.equal('There is no role nobody "here".');
    expect(await published()).to.deep.equal([]);
  });

  it('do not wait for long behind somebody who writes, and nobody waits behind them', async () => {
    const client = await app.database.connect();
    await client.query(`begin; update users set name = 'X' where id = ${eve}`);
    expect(await failure(publish())).to.include({ code: '55P03' });
    expect(await published()).to.deep.equal([]);
    const attempt = publish();
    await until('it waits for the table', async () => {
      const [waiting] = await app.database.query(
        `select from pg_locks where not granted and relation = 'users'::regclass`,
      );
      return waiting !== undefined;
    });
    await client.query('commit');
    await attempt;
    expect(await wrongIds()).to.deep.equal([]);
  });

  it('can be read as SQL first, which does the same', async () => {
    const sql = await publicationSql(em(), role);
    expect(await published()).to.deep.equal([]);
    await app.database.query(sql);
    const before = await published();
    expect(await asApp('select id from rollcall.accounts order by id')).to.have.length(3);
    expect(await ids()).to.have.length(3);
    // Again, by what is printed now, and by the command itself.
    await app.database.query(await publicationSql(em(), role));
    await publish();
    expect(await published()).to.deep.equal(before);
  });

  for (const [how, run] of [
    ['by the command', () => publish()],
    ['by its SQL', async () => app.database.query(await publicationSql(em(), role))],
  ] as const)
    it(`have all their ids, of which no transaction writes more than ten thousand: ${how}`, async () => {
      await app.database.query(`
        insert into users (email) select 'n' || n || '@example.com' from generate_series(1, 20000) as n;
        -- Deleted twice each, at times of which many are the same.
        insert into changes (at, actor, user_id, action, version, fields, before)
        select time + n / 100 * interval '1 microsecond', 'ada', 1000000 + n, 'deleted', 1, '{}', '{}'
          from generate_series(1, 25000) as n, (values (timestamptz '2026-01-01'), ('2026-02-01')) as times (time)`);
      await run();
      expect(await wrongIds()).to.deep.equal([]);
      const filled = await app.database.query(`
        select count(*)::int as count, min(deleted_at) >= '2026-02-01' as "areLast" from rollcall.account_ids where deleted_at is not null`);
      expect(filled).to.deep.equal([{ count: 25_000, areLast: true }]);
      const transactions = await app.database.query(
        'select count(*)::int as rows from rollcall.account_ids group by xmin::text order by rows desc',
      );
      expect(transactions[0]?.['rows']).to.be.within(5_000, 10_100);
      // Again, page by page too, with something to mend in several of them.
      await app.database.query(
        `update rollcall.account_ids set deleted_at = case when deleted_at is null then now() end where id % 1000 = 0`,
      );
      await run();
      expect(await wrongIds()).to.deep.equal([]);
    });

  // The embedded server has no pg_dump: these run where a server is given.
  if (process.env['TEST_DATABASE_URL'] !== undefined)
    it('come back with a dump', async () => {
      await publish();
      await app.database.query(`${NOTES}; insert into notes (owner, text) values (${grace}, 'hers')`);
      await visit.done(204, 'DELETE', `/v1/users/${grace}`);
      const restored = await createEmptyDatabase();
      try {
        await promisify(execFile)('sh', [
          '-c',
          'pg_dump --format=custom "$1" | pg_restore --no-owner --exit-on-error --dbname="$2"',
          'sh',
          app.database.url,
          restored.url,
        ]);
        const other = await startApp({ database: restored });
        const again = visitor(other, ADA);
        const [deletion] = await again.history({ limit: '1' });
        await again.done(200, 'POST', `/v1/history/${deletion?.id}/undo`);
        await again.done(201, 'POST', '/v1/users', { email: 'new@example.com' });
        expect(await publicationFaults(other.orm.em.fork())).to.deep.equal([]);
        expect(
          await restored.query('select email, text from notes join rollcall.accounts on accounts.id = owner'),
        ).to.deep.equal([{ email: GRACE, text: 'hers' }]);
        await publishAccounts(other.orm.em.fork(), role);
        await restored.query(`drop owned by "${role}"`);
        await other.stop();
      } finally {
        await restored.drop();
      }
    });
});
