import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';
import { startServer } from '../support/server-process.ts';

describe('the adoption of a table of users', function () {
  this.timeout(120_000);
  let database: TestDatabase;

  beforeEach(async () => {
    database = await createEmptyDatabase();
  });

  afterEach(() => database.drop());

  const start = () => startServer({ DATABASE_URL: database.url });

  /** Starts a server that must refuse, and returns what it says to the operator. */
  const refusal = async () => {
    const server = start();
    expect(await server.ended()).to.equal(78);
    return server.lines.find(({ level }) => level === 60)?.msg ?? '';
  };

  /** Everything in the database: relations, columns, rows, and the positions of sequences. */
  const everything = async () => {
    const relations = await database.query<{ name: string; kind: string }>(
      `select relname as name, relkind as kind from pg_class where relnamespace = 'public'::regnamespace order by 1`,
    );
    const found: unknown[] = [relations];
    for (const { name, kind } of relations) {
      if (kind !== 'i') found.push(await database.query(`select * from "${name}"`));
    }
    found.push(
      await database.query(
        `select attrelid::regclass::text, attname, atttypid::regtype, attnotnull from pg_attribute
          join pg_class on pg_class.oid = attrelid where relnamespace = 'public'::regnamespace and attnum > 0 order by 1, 2`,
      ),
      await database.query(`select conname, pg_get_constraintdef(oid) as definition from pg_constraint
          where connamespace = 'public'::regnamespace order by 1`),
    );
    return found;
  };

  const createAccounts = async (count: number) => {
    const file = join(import.meta.dirname, 'adoption/alembic/naming-convention.sql');
    await database.query(await readFile(file, 'utf8'));
    await database.query(
      `insert into users (email) select 'User' || i || '@Example.com' from generate_series(1, ${count}) as i`,
    );
  };

  it('leaves the database of another application wholly alone: no table, no lock', async () => {
    await database.query(`
      create table users (id serial primary key, email text not null unique, name text, role text default 'user',
                          created_at timestamptz default now(), updated_at timestamptz default now());
      insert into users (email) values ('Ada@Example.com')`);
    const before = await everything();
    // The other application is at work, and a lock would wait for it.
    const session = await database.connect();
    await session.query(`begin; update users set name = 'Ada'`);
    expect(await refusal()).to.include('preferences, storage_mode: all missing');
    await session.query('rollback');
    expect(await everything()).to.deep.equal(before);
  });

  it('leaves no ledger behind where accounts stand in the way', async () => {
    await createAccounts(1);
    await database.query(`insert into users (email) values ('user1@example.com')`);
    const before = await everything();
    expect(await refusal()).to.include('belongs to several accounts (ids 1, 2)');
    expect(await everything()).to.deep.equal(before);
  });

  it('names problems of columns and of rows at once', async () => {
    await createAccounts(1);
    await database.query(`
      alter table users drop constraint role, add column password_hint text not null default '', add column team int;
      update users set team = 1; alter table users alter column team set not null;
      update users set role = 'owner'`);
    const message = await refusal();
    expect(message).to.match(/^ {2}team: is not null and has no default/m);
    expect(message).to.match(/^ {2}role: must be one of user, admin.*\(id 1\)$/m);
  });
});
