import type { TestDatabase } from './database.ts';

/** Adds `count` history entries in one transaction, each with a value of `bytes` bytes. Their account need not exist. */
export async function addChanges(database: TestDatabase, count: number, bytes = 10): Promise<void> {
  await database.query(
    `insert into changes (actor, user_id, action, before, after, fields, version)
     select 'test', 1, 'updated', '{"name":null}', jsonb_build_object('name', repeat('x', $2)), '{name}', n + 1
       from generate_series(1, $1) as n`,
    [count, bytes],
  );
  await database.query(`notify rollcall_changes`);
}
