import { expect } from 'chai';
import { clientOf } from '../../src/database/connection.ts';
import { reachDatabase } from '../../src/database/reach-database.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';
import { mikroOrm } from '../support/mikro-orm.ts';
import { startServer } from '../support/server-process.ts';

/** A database as others run it: what an operator has done to it, and the parameters of the URL. */
interface Situation {
  readonly name: string;
  readonly prepare: (database: string) => readonly string[];
  readonly parameters?: string;
  /** The schema of Rollcall's tables; `$user` for the role's name. */
  readonly home: string;
}

const SITUATIONS: readonly Situation[] = [
  {
    name: 'session settings of the database in other forms',
    prepare: (database) =>
      [
        `DateStyle = 'German, DMY'`,
        `IntervalStyle = 'iso_8601'`,
        `TimeZone = 'Asia/Kathmandu'`,
        `bytea_output = 'escape'`,
        `standard_conforming_strings = off`,
        `lc_messages = 'C'`,
        `default_transaction_isolation = 'serializable'`,
      ].map((setting) => `alter database "${database}" set ${setting}`),
    home: 'public',
  },
  {
    name: 'transactions that only read, and one snapshot each, unless they say otherwise',
    prepare: (database) => [
      `alter database "${database}" set default_transaction_isolation = 'repeatable read'`,
      `alter database "${database}" set default_transaction_read_only = on`,
    ],
    home: 'public',
  },
  {
    name: 'a search path of the database',
    prepare: (database) => [
      'create schema team',
      `alter database "${database}" set search_path = team, public`,
    ],
    home: 'team',
  },
  {
    name: 'a schema with the name of the role',
    prepare: () => ['do $$ begin execute format($f$create schema %I$f$, current_user); end $$'],
    home: '$user',
  },
  {
    name: '?schema=',
    prepare: () => ['create schema "Other Team"'],
    parameters: 'schema=Other%20Team',
    home: 'Other Team',
  },
  {
    name: '?currentSchema=',
    prepare: () => ['create schema team'],
    parameters: 'currentSchema=team',
    home: 'team',
  },
  {
    name: '?options=-c search_path=',
    prepare: () => ['create schema team'],
    parameters: 'options=-c%20search_path%3Dteam',
    home: 'team',
  },
  {
    name: "another application's table of migrations",
    prepare: () => [
      'create table mikro_orm_migrations (id serial primary key, name varchar(255), executed_at timestamptz)',
      `insert into mikro_orm_migrations (name) values ('Migration20200101000000')`,
    ],
    home: 'public',
  },
];

describe('a database as others run it', function () {
  this.timeout(120_000);

  let database: TestDatabase;
  const urlWith = (parameters: string) => `${database.url}?${parameters}`;

  beforeEach(async () => {
    database = await createEmptyDatabase();
  });

  afterEach(() => database.drop());

  for (const { name, prepare, parameters = '', home } of SITUATIONS) {
    it(`starts twice with ${name}`, async () => {
      for (const statement of prepare(database.name)) await database.query(statement);
      const env = { DATABASE_URL: urlWith(parameters), INITIAL_ADMINS: 'ada@example.com' };
      for (const attempt of ['first', 'second']) {
        const server = startServer(env);
        const address = await server.ready();
        expect((await fetch(`${address}/readyz`)).status, attempt).to.equal(200);
        expect(await server.end('SIGTERM'), attempt).to.equal(0);
      }
      const { code, said } = await mikroOrm(env, 'migration:check');
      expect(code, said).to.equal(0);
      expect(said).to.include('No changes required');
      const tables = await database.query<{ schemaname: string }>(
        `select distinct schemaname from pg_tables where tablename in ('users', 'changes', 'rollcall_migrations')`,
      );
      const [role] = await database.query<{ name: string }>('select current_user::text as name');
      expect(tables).to.deep.equal([{ schemaname: home === '$user' ? role?.name : home }]);
    });
  }

  it('has no limit of the database for transactions and locks', async () => {
    // PostgreSQL 17 brought the first of them.
    const limits = await database.query<{ name: string }>(
      `select name from pg_settings where name in ('transaction_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout')`,
    );
    for (const { name } of limits)
      await database.query(`alter database "${database.name}" set ${name} = '1s'`);
    const { database: reached, mode } = await reachDatabase(database, {
      deadline: Date.now() + 10_000,
      signal: new AbortController().signal,
      onSilence: () => undefined,
    });
    const client = clientOf({ ...reached, statementTimeoutMs: 0 }, mode);
    await client.connect();
    const { rows } = await client.query(
      'select distinct current_setting(name) as value from unnest($1::text[]) as name',
      [limits.map(({ name }) => name)],
    );
    expect(rows).to.deep.equal([{ value: '0' }]);
    await client.end();
  });

  it('goes on from the shared table of migrations of older versions, and leaves it to them', async () => {
    const first = startServer({ DATABASE_URL: database.url });
    await first.ready();
    await first.end('SIGTERM');
    // What came after those versions is not there yet.
    await database.query('drop table kept_answers, feed_epochs');
    await database.query('drop table console_sessions, console_codes');
    await database.query('drop trigger users_end_sessions on users');
    await database.query('drop function rollcall_server, rollcall_end_sessions');
    await database.query('alter table rollcall_migrations rename to mikro_orm_migrations');
    await database.query(`insert into mikro_orm_migrations (name) values ('MigrationOfSomebodyElse')`);
    const before = await database.query('select name from mikro_orm_migrations order by id');
    const second = startServer({ DATABASE_URL: database.url });
    await second.ready();
    await second.end('SIGTERM');
    expect(await database.query('select name from mikro_orm_migrations order by id')).to.deep.equal(before);
    expect(await database.query('select name from rollcall_migrations order by id')).to.deep.equal(
      before.slice(0, -1),
    );
  });

  for (const [what, parameters, statements, message] of [
    ['a schema that is missing', 'schema=nowhere', [], /create schema if not exists "nowhere"/],
    ['two schemas', 'schema=a&currentSchema=b', [], /name one schema/],
    [
      'a file of certificates that is missing',
      'sslmode=verify-full&sslrootcert=/no/ca.pem',
      [],
      /sslrootcert/,
    ],
    ['a TLS mode that does not exist', 'sslmode=verify', [], /sslmode/],
  ] as const) {
    it(`exits 78 with what to do for ${what}, and without a stack`, async () => {
      for (const statement of statements) await database.query(statement);
      const server = startServer({ DATABASE_URL: urlWith(parameters) });
      expect(await server.ended()).to.equal(78);
      const said = [...server.lines.map(({ msg }) => msg), ...server.output].join('\n');
      expect(said).to.match(message);
      expect(said).not.to.match(/\n\s+at /);
    });
  }

  it('names parameters of the URL that have no effect in the log', async () => {
    const server = startServer({ DATABASE_URL: urlWith('connection_limit=5') });
    await server.ready();
    expect(
      (await server.said('DATABASE_URL has parameters without effect; remove them'))['parameters'],
    ).to.deep.equal(['connection_limit']);
    await server.end('SIGTERM');
  });
});
