import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { ormOptions } from '../../mikro-orm.config.ts';
import { migrateUnderLock } from '../../src/database/migrate.ts';
import { RollcallMigrator } from '../../src/database/migrator.ts';
import { knownMigrations, schemaState } from '../../src/database/schema.ts';
import { normalizeEmail } from '../../src/domain/email.ts';
import { createEmptyDatabase } from '../support/database.ts';
import { testStore } from '../support/store.ts';

/** PostgreSQL's description of the tables: columns, defaults, constraints and indexes, by name. */
const DESCRIPTION = `
  select 'column' as kind, table_name || '.' || column_name as name,
         concat_ws(' ', data_type, character_maximum_length, is_nullable, column_default) as definition
    from information_schema.columns where table_schema = 'public'
  union all
  select 'constraint', conname, pg_get_constraintdef(oid) from pg_constraint where connamespace = 'public'::regnamespace
  union all
  select 'index', indexname, indexdef from pg_indexes where schemaname = 'public'
  order by 1, 2`;

const LOCK = {
  deadline: Number.POSITIVE_INFINITY,
  signal: new AbortController().signal,
  onWait: () => undefined,
};

const silent = { logger: () => undefined };

describe('the schema', () => {
  const store = testStore();

  beforeEach(() => RollcallMigrator.register(store.orm));

  const describeSchema = () =>
    store.database.query<{ kind: string; name: string; definition: string }>(DESCRIPTION);

  it('does not differ between the entities and the migrations', async () => {
    expect(await store.orm.schema.getUpdateSchemaSQL({ wrap: false })).to.equal('');
    expect(await store.orm.migrator.checkSchema()).to.equal(false);
  });

  it('reports a changed entity without a migration', async () => {
    const path = await mkdtemp(join(tmpdir(), 'rollcall-snapshot-'));
    const options = ormOptions(store.database);
    const snapshot = await readFile(join(options.migrations?.path ?? '', '.snapshot.json'), 'utf8');
    await writeFile(
      join(path, '.snapshot.json'),
      snapshot.replaceAll('users_email_unique', 'users_email_other'),
    );
    const other = await MikroORM.init({ ...options, ...silent, migrations: { ...options.migrations, path } });
    RollcallMigrator.register(other);
    expect(await other.migrator.checkSchema()).to.equal(true);
    await other.close(true);
    await rm(path, { recursive: true });
  });

  it('is the same after up, down to nothing, and up again', async () => {
    const before = await describeSchema();
    // One by one, as `npx mikro-orm` does: an index is dropped concurrently, which waits for transactions that lock its table.
    while ((await store.orm.migrator.getExecuted()).length > 0) await store.orm.migrator.down();
    expect((await describeSchema()).filter(({ name }) => /^(users|rate_limits)/.test(name))).to.deep.equal(
      [],
    );
    await migrateUnderLock(store.orm, LOCK, async () => undefined);
    expect(await describeSchema()).to.deep.equal(before);
  });

  it('has the agreed table of users', async () => {
    const rows = await describeSchema();
    const columns = rows.filter(({ kind, name }) => kind === 'column' && name.startsWith('users.'));
    expect(Object.fromEntries(columns.map(({ name, definition }) => [name, definition]))).to.deep.equal({
      'users.id': "integer NO nextval('users_id_seq'::regclass)",
      'users.email': 'character varying 255 NO',
      'users.name': 'character varying 255 YES',
      'users.role_until': 'timestamp with time zone YES',
      'users.role': "character varying 50 NO 'user'::character varying",
      'users.preferences': 'jsonb YES',
      'users.storage_mode': "character varying 10 NO 'local'::character varying",
      'users.status': "character varying 20 NO 'active'::character varying",
      'users.version': 'integer NO 1',
      'users.created_at': 'timestamp with time zone NO now()',
      'users.updated_at': 'timestamp with time zone NO now()',
    });
    const constraints = await store.database.query<{ name: string }>(
      `select conname as name from pg_constraint where conrelid = 'users'::regclass and contype <> 'n' order by 1`,
    );
    expect(constraints.map(({ name }) => name)).to.deep.equal([
      'users_email_normalized',
      'users_email_unique',
      'users_pkey',
      'users_status_check',
      'users_storage_mode_check',
    ]);
  });

  it('has the table that the rate limiter writes, unlogged', async () => {
    const columns = await store.database.query<{ name: string; definition: string }>(
      `select column_name as name, concat_ws(' ', data_type, character_maximum_length, is_nullable, column_default) as definition
         from information_schema.columns where table_name = 'rate_limits' order by ordinal_position`,
    );
    expect(columns.map(({ name, definition }) => `${name} ${definition}`)).to.deep.equal([
      'key character varying 255 NO',
      'points integer NO 0',
      'expire bigint YES',
    ]);
    expect(
      await store.database.query(`select relpersistence as kind from pg_class where relname = 'rate_limits'`),
    ).to.deep.equal([{ kind: 'u' }]);
  });

  it('accepts every normalized email in any script, and no other form of it', async function () {
    this.timeout(120_000);
    const points = Array.from({ length: 0x110000 }, (_, code) => code);
    const characters = points.filter((code) => code > 0 && (code < 0xd800 || code > 0xdfff));
    const normalized = [
      ...characters.map((code) => normalizeEmail(`a${String.fromCodePoint(code)}z@example.com`)),
      // Beyond, no domain may have them.
      ...characters
        .filter((code) => code < 0x32000)
        .map((code) => normalizeEmail(`a@b${String.fromCodePoint(code)}c.com`)),
    ];
    const [refused] = await store.database.query<{ count: number }>(
      `select count(*)::int as count from unnest($1::text[]) as email where email <> normalize(lower(btrim(email)), NFKC)`,
      [normalized],
    );
    expect(refused?.count).to.equal(0);

    for (const email of [
      'Ada@example.com',
      ' ada@example.com',
      'ada@example.com ',
      'ﬁ@example.com',
      'Ä@example.com',
    ]) {
      const refusal = await store.database
        .query('insert into users (email) values ($1)', [email])
        .catch((error) => error);
      expect(refusal.constraint, email).to.equal('users_email_normalized');
    }
  });

  it('repairs an index whose build was killed', async () => {
    const INDEX = 'users_name_search_index';
    const state = () =>
      store.database.query(
        `select indisvalid as valid from pg_index where indexrelid = to_regclass('${INDEX}')`,
      );
    // As a killed build leaves it: present, invalid, and not in the ledger.
    await store.database.query(
      `update pg_index set indisvalid = false where indexrelid = to_regclass('${INDEX}')`,
    );
    await store.database.query(
      `delete from rollcall_migrations where name ~ '_(users_list_indexes|name_search)$'`,
    );
    await store.database.query(`drop index users_email_trigram_index`);
    expect(await state()).to.deep.equal([{ valid: false }]);
    await migrateUnderLock(store.orm, LOCK, async () => undefined);
    expect(await state()).to.deep.equal([{ valid: true }]);
    expect(await store.orm.schema.getUpdateSchemaSQL({ wrap: false })).to.equal('');
  });

  it('folds names with an empty search path, as a restore, ANALYZE and REINDEX have it', async () => {
    await store.database.query(`insert into users (email, name) values ('a@example.com', 'José')`);
    // A function of the same name as one of PostgreSQL's, and a better match for the column, must not be called.
    await store.database.query(
      `create function public.upper(varchar) returns text language sql immutable as $$ select 'wrong' $$`,
    );
    await store.database.query(`set search_path = ''`);
    await store.database.query('analyze public.users');
    await store.database.query('reindex index public.users_name_search_index');
    const folded = await store.database.query(`select public.rollcall_fold(name) as name from public.users`);
    expect(folded).to.deep.equal([{ name: 'josé' }]);
    const [kind] = await store.database.query(
      `select provolatile, proparallel, prosecdef, proconfig from pg_catalog.pg_proc where proname = 'rollcall_fold'`,
    );
    expect(kind).to.deep.equal({ provolatile: 'i', proparallel: 's', prosecdef: false, proconfig: null });
  });

  it('names the migrations that the database lacks, and those of newer code', async () => {
    const known = await knownMigrations(store.orm);
    expect(await schemaState(store.em, known)).to.deep.equal({ pending: [], unknown: [] });
    await store.database.query(
      `update rollcall_migrations set name = 'Migration29990101000000_later' where name = $1`,
      [known[0]],
    );
    expect(await schemaState(store.em, known)).to.deep.equal({
      pending: [known[0]],
      unknown: ['Migration29990101000000_later'],
    });
  });

  it('changes by migrations only: the schema generator refuses', async () => {
    const before = await describeSchema();
    const attempts = {
      create: () => store.orm.schema.create(),
      update: () => store.orm.schema.update(),
      drop: () => store.orm.schema.drop(),
      clear: () => store.orm.schema.clear(),
      refresh: () => store.orm.schema.refresh(),
      dropDatabase: () => store.orm.schema.dropDatabase(store.database.name),
      createDatabase: () => store.orm.schema.createDatabase('rollcall_never'),
      execute: () => store.orm.schema.execute('drop table users'),
    };
    for (const [name, attempt] of Object.entries(attempts)) {
      const error = await attempt().then(
        () => undefined,
        (refusal: Error) => refusal,
      );
      expect(error?.message, name).to.match(/by migrations only/);
    }
    expect(await describeSchema()).to.deep.equal(before);
  });
});

describe('a migration that fails', () => {
  it('is named, and leaves the schema unchanged', async () => {
    const database = await createEmptyDatabase();
    const path = await mkdtemp(join(tmpdir(), 'rollcall-migrations-'));
    const options = ormOptions(database);
    const orm = await MikroORM.init({ ...options, ...silent, migrations: { ...options.migrations, path } });
    try {
      await writeFile(join(path, 'Migration20260101000000_good.js'), migration('create table good (id int)'));
      await writeFile(
        join(path, 'Migration20260102000000_bad.js'),
        migration('create table bad (id nonsense)'),
      );
      const failure = await migrateUnderLock(orm, LOCK, async () => 'never').catch((error: Error) => error);
      expect(failure).to.be.instanceOf(Error);
      expect((failure as Error).message).to.match(
        /^Migration Migration20260102000000_bad failed: .*nonsense/,
      );
      expect(await database.query(`select to_regclass('good') as good`)).to.deep.equal([{ good: null }]);
      expect(await database.query('select * from rollcall_migrations')).to.deep.equal([]);
    } finally {
      await orm.close(true);
      await database.drop();
      await rm(path, { recursive: true });
    }
  });

  // Plain JavaScript without imports, because it lives outside of the project.
  const migration = (sql: string) => `export class M {
    isTransactional() { return true; }
    reset() {}
    setTransactionContext() {}
    up() {}
    getQueries() { return [${JSON.stringify(sql)}]; }
  }`;
});
