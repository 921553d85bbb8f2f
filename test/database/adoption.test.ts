import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { createEmptyDatabase, createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { mikroOrm } from '../support/mikro-orm.ts';
import { programEnvironment, programOf } from '../support/programs.ts';
import { startServer } from '../support/server-process.ts';
import { forge } from '../support/tokens.ts';
import { until } from '../support/until.ts';

/** What Alembic has made of the same table, in the ways in which services declare it. */
const VARIANTS = ['native-enums', 'naming-convention', 'plain-text', 'same-columns'] as const;

const fixture = (name: string) =>
  readFile(join(import.meta.dirname, 'adoption/alembic', `${name}.sql`), 'utf8');

/** What the tests read of an answer. */
interface Answer {
  readonly id: number;
  readonly items: readonly { readonly id: string; readonly action: string }[];
}

/** The shape of the accounts' table, without what another service has added to it. */
const SHAPE = `
  select (select json_agg(json_build_array(attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attcollation,
                                           pg_get_expr(adbin, adrelid)) order by attname)
            from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
           where attrelid = 'users'::regclass and attnum > 0 and not attisdropped
             and attname not in ('avatar_url', 'locale')) as columns,
         (select json_agg(json_build_array(conname, contype, pg_get_constraintdef(oid)) order by conname)
            from pg_constraint where conrelid = 'users'::regclass and contype <> 'n') as constraints,
         (select json_agg(indexdef order by indexname) from pg_indexes
           where tablename = 'users' and indexname <> 'ix_users_locale') as indexes,
         (select json_agg(json_build_array(seqtypid::regtype, seqincrement, seqmin, seqmax, seqcycle))
            from pg_sequence where seqrelid = pg_get_serial_sequence('users', 'id')::regclass) as sequence`;

describe('adopting a table of users', function () {
  this.timeout(120_000);

  let database: TestDatabase;

  beforeEach(async () => {
    database = await createEmptyDatabase();
  });

  afterEach(() => database.drop());

  const start = (env: NodeJS.ProcessEnv = {}) => startServer({ DATABASE_URL: database.url, ...env });

  /** Starts a server that must refuse, and returns the lines that it says to the operator. */
  async function refusal(env: NodeJS.ProcessEnv = {}): Promise<string[]> {
    const server = start(env);
    expect(await server.ended()).to.equal(78);
    const [fatal] = server.lines.filter(({ level }) => level === 60 || level === 'fatal');
    expect(fatal).not.to.have.property('err');
    return (fatal?.msg ?? '').split('\n');
  }

  /** Everything that an adoption could change. */
  const everything = async () => [
    await database.query(SHAPE),
    await database.query('select * from users order by ctid'),
    await database.query(`select relname from pg_class where relnamespace = 'public'::regnamespace
                           and relname not like '%migrations%' order by relname`),
  ];

  /** Creates the table as Alembic does. */
  async function create(variant: (typeof VARIANTS)[number]): Promise<void> {
    if (variant === 'plain-text') await database.query('create extension citext');
    await database.query(await fixture(variant));
  }

  /** Adds a row with upper-case choices where the variant stores them so. */
  async function add(email: string, { isUpper = true, role = 'user' } = {}): Promise<number> {
    const cased = (text: string) => (isUpper ? text.toUpperCase() : text);
    const [row] = await database.query<{ id: string }>(
      `insert into users (email, role, storage_mode, preferences, created_at, updated_at)
       values ($1, '${cased(role)}', '${cased('local')}', '{"theme": "dark"}', '2020-01-02 03:04:05', '2021-01-02 03:04:05')
       returning id`,
      [email],
    );
    return Number(row?.id);
  }

  /** Runs `npm run accounts -- adopt`. */
  const adopt = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [programOf('src/commands/accounts.ts'), 'adopt', ...args],
      {
        env: { ...programEnvironment(), ENVIRONMENT: 'test', DATABASE_URL: database.url },
        encoding: 'utf8',
      },
    );
    return { status, stdout, stderr };
  };

  for (const variant of VARIANTS) {
    it(`makes of Alembic's table (${variant}) what the migrations make, and serves its accounts`, async () => {
      await create(variant);
      const isUpper = variant === 'native-enums';
      const id = await add(' Ada@Example.COM', { isUpper, role: 'admin' });
      await add('grace@example.com', { isUpper });
      await database.query('delete from users where email = $1', ['grace@example.com']);
      const server = start();
      const address = await server.ready();

      const fresh = await createMigratedDatabase();
      try {
        expect(await database.query(SHAPE)).to.deep.equal(await fresh.query(SHAPE));
      } finally {
        await fresh.drop();
      }
      const ask = (path: string, init: RequestInit = {}) =>
        fetch(`${address}/v1${path}`, {
          ...init,
          headers: { authorization: `Bearer ${forge()}`, 'content-type': 'application/json' },
        }).then(async (response) => ({ status: response.status, body: (await response.json()) as Answer }));
      const { body: me } = await ask('/me');
      expect(me).to.deep.include({
        id,
        email: 'ada@example.com',
        role: 'admin',
        storageMode: 'local',
        preferences: { theme: 'dark' },
        createdAt: '2020-01-02T03:04:05.000Z',
      });
      const { body: begun } = await ask('/me/history');
      expect(begun.items.map(({ action }) => action)).to.deep.equal(['created']);

      await ask('/me', { method: 'PATCH', body: '{"name":"Ada"}' });
      const { body: history } = await ask('/me/history');
      const undone = await ask(`/history/${history.items[0]?.id}/undo`, { method: 'POST' });
      expect(undone.status, JSON.stringify(undone.body)).to.equal(200);
      const invited = await ask('/users', { method: 'POST', body: '{"email":"new@example.com"}' });
      expect(invited.status).to.equal(201);
      // The id of a deleted row is not given again.
      expect(invited.body.id).to.equal(id + 2);
      expect(await server.end('SIGTERM')).to.equal(0);
      const { code, said } = await mikroOrm({ DATABASE_URL: database.url }, 'migration:check');
      expect(code, said).to.equal(0);

      const again = start();
      await again.ready();
      expect(again.lines.some(({ msg }) => msg === 'existing table users adopted')).to.equal(false);
      await again.end('SIGTERM');
    });
  }

  it('names every account that has an email twice, and changes nothing', async () => {
    await create('native-enums');
    const ids = [await add('Ada@example.com'), await add('ada@example.com '), await add('Ａda@example.com')];
    await add('grace@example.com');
    const before = await everything();
    const [, ...lines] = await refusal();
    expect(lines[0]).to.equal(`  email: ada@example.com belongs to several accounts (ids ${ids.join(', ')})`);
    expect(lines.slice(1, 4)).to.deep.equal(
      ids.map((id) => `    id ${id}: USER, created 2020-01-02 03:04:05+00`),
    );
    expect(lines[4]).to.include('npm run accounts -- adopt --merge');
    expect(await everything()).to.deep.equal(before);
  });

  it('names every problem of the rows at once, by column and id, and changes nothing', async () => {
    await create('plain-text');
    await database.query(
      `insert into users (email, role, storage_mode, preferences, name, created_at, updated_at) values
         ('no email', 'owner', 'cloud', '[1]', repeat('x', 256), now(), 'infinity'),
         ('ªda@example.com', null, null, '{"a": "\\u0000"}', null, now(), null),
         ('fine@example.com', null, null, 'null', ' ', now(), null)`,
    );
    const before = await everything();
    const lines = (await refusal()).slice(1).map((line) => line.trim());
    expect(lines.map((line) => line.replace(/:.*\((.*)\)$/, ' $1')).sort()).to.deep.equal([
      'email id 1',
      'email id 2',
      'name id 1',
      'preferences id 1',
      'preferences id 2',
      'role id 1',
      'storage_mode id 1',
      'updated_at id 1',
    ]);
    expect(await everything()).to.deep.equal(before);
  });

  it("names every column of a stranger's table, and changes nothing", async () => {
    await database.query(
      `create table users (id uuid primary key, email text unique, username text not null, hashed_password text,
                           status text, initials text generated always as (left(username, 1)) stored)`,
    );
    await database.query('create table changes (id int)');
    const before = await everything();
    const lines = (await refusal()).slice(1).map((line) => line.trim().split(':')[0]);
    expect(lines.sort()).to.deep.equal([
      'hashed_password',
      'id',
      'initials',
      'preferences, storage_mode',
      'status',
      'username',
      'users',
    ]);
    expect(await everything()).to.deep.equal(before);
  });

  it('names what belongs to the table and is in the way, and changes nothing', async () => {
    await create('native-enums');
    await database.query(
      `create function touch() returns trigger language plpgsql as 'begin return new; end'`,
    );
    await database.query('create trigger touch before update on users for each row execute function touch()');
    await database.query('create view emails as select email from users');
    await database.query('create table letters (email varchar references users (email))');
    await database.query('alter table users enable row level security');
    const before = await everything();
    const lines = (await refusal()).slice(1);
    expect(lines.filter((line) => /^ {2}users: .*touch/.test(line))).to.have.length(1);
    expect(lines.filter((line) => /^ {2}users: .*row level security/.test(line))).to.have.length(1);
    expect(lines.filter((line) => /^ {2}email: .*view emails/.test(line))).to.have.length(1);
    expect(lines.filter((line) => /^ {2}email: .*letters_email_fkey of letters/.test(line))).to.have.length(
      1,
    );
    expect(lines).to.have.length(4);
    expect(await everything()).to.deep.equal(before);
  });

  it('refuses a view and a partitioned table', async () => {
    await database.query(`create view users as select 1 as id, 'ada@example.com' as email, 'user' as role`);
    expect((await refusal())[1]).to.include('is a view');
    await database.query('drop view users');
    await database.query('create table users (id int, email text, role text) partition by hash (id)');
    expect((await refusal())[1]).to.include('is a partitioned table');
  });

  it('adds the columns that are missing, with what the other columns say', async () => {
    await database.query(
      `create table users (id bigint primary key, email text, role text not null, preferences json, created_at timestamp not null)`,
    );
    await database.query(
      `insert into users values (7, 'Ada@example.com', 'Admin', null, '2020-01-02 03:04:05')`,
    );
    const server = start();
    await server.ready();
    await server.end('SIGTERM');
    expect(
      await database.query(
        `select id, email, role, storage_mode, extract(epoch from updated_at - created_at)::int as age from users`,
      ),
    ).to.deep.equal([{ id: 7, email: 'ada@example.com', role: 'admin', storage_mode: 'local', age: 0 }]);
    expect(await database.query(`select nextval('users_id_seq')::int as next`)).to.deep.equal([{ next: 8 }]);
  });

  it('suspends the accounts that the former service did not let in, from the beginning of their history', async () => {
    await create('native-enums');
    await database.query(
      `alter table users add is_active boolean default true, add deleted_at timestamptz, add banned boolean, add "Disabled At" date`,
    );
    const ids = await Promise.all(
      ['ada', 'inactive', 'unknown', 'deleted', 'banned'].map((name) => add(`${name}@example.com`)),
    );
    await database.query(`update users set is_active = false where email like 'inactive%'`);
    await database.query(`update users set is_active = null where email like 'unknown%'`);
    await database.query(`update users set deleted_at = now() where email like 'deleted%'`);
    await database.query(`update users set banned = email like 'banned%'`);
    const shown = adopt();
    expect(shown.status).to.equal(0);
    expect(shown.stdout).to.include(
      '  suspend 4 accounts that may not sign in, according to is_active, deleted_at, banned\n',
    );
    const server = start();
    const address = await server.ready();
    const statusOf = async (email: string) =>
      (
        await fetch(`${address}/v1/me`, {
          headers: { authorization: `Bearer ${forge({ claims: { email } })}` },
        })
      ).status;
    expect(await statusOf('ada@example.com')).to.equal(200);
    for (const name of ['inactive', 'unknown', 'deleted', 'banned']) {
      expect(await statusOf(`${name}@example.com`), name).to.equal(403);
    }
    await server.end('SIGTERM');
    expect(
      await database.query(
        `select count(*)::int as changes, count(*) filter (where after->>'status' = 'suspended')::int as suspended from changes`,
      ),
    ).to.deep.equal([{ changes: ids.length, suspended: 4 }]);
  });

  it('reads every row of a larger table, once, also with two replicas', async () => {
    await create('native-enums');
    await database.query(
      `insert into users (email, role, storage_mode)
       select 'User' || number || '@Example.com', 'USER', 'LOCAL' from generate_series(1, 12000) as number`,
    );
    const servers = [start(), start()];
    await Promise.all(servers.map((server) => server.ready()));
    const adopted = servers.flatMap(({ lines }) =>
      lines.filter(({ msg }) => msg === 'existing table users adopted'),
    );
    expect(adopted.map(({ accounts, renamedEmails }) => [accounts, renamedEmails])).to.deep.equal([
      [12_000, 12_000],
    ]);
    expect(
      await database.query(
        `select count(*)::int as accounts, count(*) filter (where email = 'user' || id || '@example.com')::int as right,
                (select count(*)::int from changes where action = 'created') as begun from users`,
      ),
    ).to.deep.equal([{ accounts: 12_000, right: 12_000, begun: 12_000 }]);
    await Promise.all(servers.map((server) => server.end('SIGTERM')));
  });

  it('leaves the table as it was when it is killed on the way, and adopts it at the next start', async () => {
    await create('same-columns');
    await add('Ada@example.com', { isUpper: false });
    const before = await everything();
    // Holds the adoption up at the lock of the table.
    const session = await database.connect();
    await session.query('begin; lock table users in access share mode');
    const first = start();
    await until('the wait for the table', async () => {
      const waiting = await database.query(
        `select 1 from pg_locks where relation = 'users'::regclass and not granted`,
      );
      return waiting.length > 0;
    });
    await first.end('SIGKILL');
    await session.query('commit');
    expect(await everything()).to.deep.equal(before);
    const second = start();
    await second.ready();
    await second.end('SIGTERM');
    expect(await database.query('select email from users')).to.deep.equal([{ email: 'ada@example.com' }]);
  });

  it("refuses another role's table, and says what to run", async () => {
    await create('same-columns');
    const role = `${database.name}_other`;
    await database.query(`create role ${role} login password 'other'`);
    await database.query(`grant all on schema public to ${role}`);
    const url = new URL(database.url);
    [url.username, url.password] = [role, 'other'];
    try {
      const lines = await refusal({ DATABASE_URL: url.href });
      expect(lines[1]).to.include('belongs to another role; run `alter table users owner to');
    } finally {
      await database.query(`drop owned by ${role}`);
      await database.query(`drop role ${role}`);
    }
  });

  it('says so when the former service still has the table open', async () => {
    await create('same-columns');
    const session = await database.connect();
    await session.query('begin; lock table users in access share mode');
    expect((await refusal())[1]).to.include('in use by another session');
  });

  describe('npm run accounts -- adopt', () => {
    it('shows what the first start will do, and changes nothing', async () => {
      await create('native-enums');
      await add('Ada@example.com');
      const before = await everything();
      const { status, stdout } = adopt();
      expect(status).to.equal(0);
      expect(stdout).to.include('accounts: 1, emails to normalize: 1');
      expect(stdout).to.include('role from userrole to character varying(50)');
      expect(stdout).to.include('drop index ix_users_email');
      expect(await everything()).to.deep.equal(before);
      const server = start();
      await server.ready();
      await server.end('SIGTERM');
      expect(adopt().stdout).to.equal("The table users is Rollcall's already.\n");
    });

    it('merges duplicates into the oldest account, with what points at them, and keeps its role', async () => {
      await create('native-enums');
      const kept = await add('Ada@example.com');
      const removed = await add('ada@example.com', { role: 'admin' });
      await database.query(
        `update users set name = 'Ada', preferences = '{"theme": "light", "more": {"a": 1}}' where id = $1`,
        [removed],
      );
      await database.query(`insert into items (title, owner_id) values ('one', $1), ('two', $2)`, [
        kept,
        removed,
      ]);
      await database.query('alter table users add column normalized text');
      const shown = adopt('--json');
      expect(shown.status).to.equal(65);
      expect(JSON.parse(shown.stdout).duplicates).to.deep.equal([
        {
          email: 'ada@example.com',
          ids: [kept, removed],
          accounts: [
            { id: kept, name: null, role: 'USER', created_at: '2020-01-02 03:04:05+00' },
            { id: removed, name: 'Ada', role: 'ADMIN', created_at: '2020-01-02 03:04:05+00' },
          ],
        },
      ]);
      const merged = adopt('--merge', '--json');
      expect([merged.status, merged.stderr]).to.deep.equal([0, '']);
      expect(JSON.parse(merged.stdout)).to.deep.equal({
        merges: [{ email: 'ada@example.com', kept, removed: [removed], repointed: 1 }],
      });
      const server = start();
      await server.ready();
      await server.end('SIGTERM');
      expect(await database.query('select id, email, name, role, preferences from users')).to.deep.equal([
        {
          id: kept,
          email: 'ada@example.com',
          name: 'Ada',
          role: 'user',
          preferences: { more: { a: 1 }, theme: 'dark' },
        },
      ]);
      expect(await database.query('select owner_id from items order by id')).to.deep.equal([
        { owner_id: kept },
        { owner_id: kept },
      ]);
    });

    it('merges nothing where another table may have only one row for an account, and names it', async () => {
      await create('naming-convention');
      for (const email of ['Ada@example.com', 'ada@example.com']) {
        const id = await add(email, { isUpper: false });
        await database.query('insert into profiles (user_id) values ($1)', [id]);
      }
      const before = await everything();
      const { status, stderr } = adopt('--merge');
      expect(status).to.equal(65);
      expect(stderr).to.match(/profiles\.user_id: .*fk_profiles_user_id_users/);
      expect(await everything()).to.deep.equal(before);
    });
  });
});
