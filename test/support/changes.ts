import type { TestDatabase } from './database.ts';

/** Puts so many entries into the history of an account that there need not be, in one transaction; each is `bytes` long. */
export async function addChanges(database: TestDatabase, count: number, bytes = 10): Promise<void> {
  await database.query(
    `insert into changes (actor, user_id, action, before, after, fields, version)
     select 'test', 1, 'updated', '{"name":null}', jsonb_build_object('name', repeat('x', $2)), '{name}', n + 1
       from generate_series(1, $1) as n`,
    [count, bytes],
  );
  await database.query(`notify rollcall_changes`);
}
