import type { EntityManager } from '@mikro-orm/postgresql';
import type { Refusal } from '../domain/refusal.ts';
import { refusals } from '../domain/refusals.ts';
import { runInTransaction } from './statements.ts';

/** A write that a foreign key of the app may refuse: it points at columns of an account, alone or together. */
export interface RefusableWrite {
  readonly id: number;
  /** The values that the account gets, by the names of their columns; `null` where it is deleted. */
  readonly values: Readonly<Record<string, unknown>> | null;
}

/** Finds the columns of accounts that foreign keys of the app point at, other than the id. */
export async function findReferenced(em: EntityManager): Promise<ReadonlySet<string>> {
  const rows = await runInTransaction<{ name: string }>(em, {
    text: `select distinct attname as name
      from pg_constraint cross join unnest(confkey) as key (number)
      join pg_attribute on attrelid = confrelid and attnum = key.number
     where contype = 'f' and confrelid = 'users'::regclass and attname <> 'id'`,
    values: [],
  });
  return new Set(rows.map(({ name }) => name));
}

/** A setting of the transaction, by which {@link find} is given writes and gives tables: a block has no parameters and no rows. */
const SETTING = 'rollcall.writes';

// One block for any number of accounts: to try each by statements of ours would take a round trip for each, and a line in the log of
// the server for each that is refused. What is not refused is taken back too, so that it leaves no subtransactions behind.
const find = (columns: readonly string[]) => `
  do $$
  declare
    write record;
    account users;
    pointing text;
    found jsonb := '{}';
  begin
    for write in select * from jsonb_to_recordset(current_setting('${SETTING}')::jsonb) as write (id int, "values" jsonb) loop
      begin
        if write."values" is null then
          delete from users where id = write.id;
        else
          account := jsonb_populate_record(null::users, write."values");
          update users set ${['id = id', ...columns.map((column) => `${column} = account.${column}`)].join(', ')} where id = write.id;
        end if;
        set constraints all immediate;
        raise exception using errcode = 'RC000';
      exception
        when foreign_key_violation or restrict_violation then
          get stacked diagnostics pointing = table_name;
          found := found || jsonb_build_object(write.id, pointing);
        when sqlstate 'RC000' then
          null;
      end;
    end loop;
    perform set_config('${SETTING}', found::text, true);
  end
  $$`;

/**
 * Finds the accounts that cannot be written because tables of the app point at them, and returns the refusals by their ids. The
 * constraints decide: whoever serves accounts may not be able to read those tables. Changes nothing. `columns` are those that all
 * updates among the writes have values of. The accounts must be locked, so that nothing points at another one afterwards.
 */
export async function findInUse(
  em: EntityManager,
  columns: readonly string[],
  writes: readonly RefusableWrite[],
): Promise<ReadonlyMap<number, Refusal>> {
  const run = <Row>(text: string, values: readonly unknown[] = []) =>
    runInTransaction<Row>(em, { text, values });
  await run('select set_config($1, $2, true)', [SETTING, JSON.stringify(writes)]);
  await run(find(columns));
  const [row] = await run<{ found: Readonly<Record<string, string>> }>(
    'select current_setting($1)::jsonb as found',
    [SETTING],
  );
  const found = Object.entries(row?.found ?? {});
  return new Map(found.map(([id, table]) => [Number(id), refusals.accountInUse(table)]));
}
