import { expect } from 'chai';
import { namedTables } from '../../src/database/locked-tables.ts';

describe('the tables that a migration names', () => {
  for (const sql of [
    'alter table "users" add column "a" int',
    'ALTER TABLE IF EXISTS ONLY users DROP COLUMN a',
    'alter table public."users" rename to "people"',
    'create index "i" on "users" ("a")',
    'create unique index if not exists "i" on only "users" ("a")',
    'drop table if exists "users"',
    'truncate table users',
    'lock table "users" in share mode',
    'create trigger "t" after insert or update of "a" on "users" for each row execute function f()',
    'create or replace trigger t before delete on users execute function f()',
    'create constraint trigger t after insert on users execute function f()',
    'drop trigger if exists "t" on "users"',
    'create table "other" ("id" int references "users" ("id"))',
    `alter
       table "users"
       add column "a" int`,
  ]) {
    it(`are locked by: ${sql.replace(/\s+/g, ' ')}`, () => {
      expect(namedTables(sql).locked).to.deep.equal(['users']);
    });
  }

  for (const sql of [
    'create index concurrently "i" on "users" ("a")',
    'create unique index concurrently if not exists "i" on "users" ("a")',
    'drop index concurrently "i"',
    'update "users" set "a" = 1',
    'comment on table "users" is \'alter\'',
  ]) {
    it(`are not locked by: ${sql}`, () => {
      expect(namedTables(sql)).to.deep.equal({ locked: [], created: [], droppedIndexes: [] });
    });
  }

  it('are found by the indexes that are dropped', () => {
    expect(namedTables('drop index if exists "i"; drop index j').droppedIndexes).to.deep.equal(['i', 'j']);
  });

  it('are created', () => {
    expect(namedTables('create table if not exists "a" (); create table b ()').created).to.deep.equal([
      'a',
      'b',
    ]);
  });
});
