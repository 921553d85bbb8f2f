import type { EntityManager } from '@mikro-orm/postgresql';
import { normalizeEmail } from '../../domain/email.ts';
import { checkPreferences } from '../../domain/preferences.ts';
import { Refusal } from '../../domain/refusal.ts';
import { acceptEmail } from '../../domain/user.ts';
import { type Duplicate, idsOf, type Problem } from './problem.ts';
import type { TableShape } from './shape.ts';
import { isConvertible } from './shape-problems.ts';
import { RENAMED } from './statements.ts';

/** How many rows are read at once. */
const BATCH_SIZE = 5_000;

/** What reading every row has found. */
export interface Scan {
  readonly rows: number;
  /** How many emails another form of theirs replaces. */
  readonly renamed: number;
  readonly problems: readonly Problem[];
  readonly duplicates: readonly Duplicate[];
}

/**
 * Reads every row: normalizes emails by the service's own rule, into a temporary table that ends with the transaction, and checks
 * them and the preferences. Needs a readable table.
 */
export async function scan(em: EntityManager, shape: TableShape): Promise<Scan> {
  await em.execute(
    `create temporary table ${RENAMED} (id integer primary key, email text not null) on commit drop`,
  );
  const hasPreferences = shape.columns.some(
    (column) => column.name === 'preferences' && isConvertible(column),
  );
  const faults = new Map<string, { column: string; ids: number[] }>();
  let [rows, renamed, after] = [0, 0, '0'];
  for (;;) {
    const batch: Row[] = await em.execute(
      `select id::text, email::text, ${hasPreferences ? 'preferences::text' : 'null as preferences'} from users
        where users.id > ? order by users.id limit ${BATCH_SIZE}`,
      [after],
    );
    const last = batch.at(-1);
    if (last === undefined) break;
    after = last.id;
    rows += batch.length;
    for (const row of batch) {
      for (const { column, message } of faultsOf(row)) {
        const key = `${column} ${message}`;
        const fault = faults.get(key) ?? { column, ids: [] };
        faults.set(key, fault);
        fault.ids.push(Number(row.id));
      }
    }
    renamed += await rename(em, batch);
  }
  const problems = [...faults].map(([key, { column, ids }]) => ({
    column,
    message: `${key.slice(column.length + 1)} (${idsOf(ids)})`,
  }));
  return { rows, renamed, problems, duplicates: await duplicates(em, shape) };
}

interface Row {
  readonly id: string;
  readonly email: string | null;
  readonly preferences: string | null;
}

async function rename(em: EntityManager, batch: readonly Row[]): Promise<number> {
  const changed = batch.flatMap(({ id, email }) => {
    const normalized = email === null ? null : normalizeEmail(email);
    return normalized === email || Number(id) >= 2 ** 31 ? [] : [{ id: Number(id), email: normalized }];
  });
  if (changed.length > 0) {
    await em.execute(
      `insert into ${RENAMED} select id, email from jsonb_to_recordset(?::jsonb) as given (id int, email text)`,
      [JSON.stringify(changed)],
    );
  }
  return changed.length;
}

function faultsOf({ email, preferences }: Row): Problem[] {
  const faults: Problem[] = [];
  const check = (column: string, work: () => unknown) => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const [first] = error.errors ?? [];
      faults.push({ column, message: first ? `${first.path}: ${first.message}` : error.message });
    }
  };
  if (email !== null) check('email', () => acceptEmail(email));
  const value: unknown = preferences === null ? null : JSON.parse(preferences);
  // SQLAlchemy stores None as JSON's null.
  if (value !== null) check('preferences', () => checkPreferences(value, UNLIMITED));
  return faults;
}

/** The limit of size is a setting for what people send. */
const UNLIMITED = { maxBytes: Number.POSITIVE_INFINITY };

/** The columns that tell accounts with one email apart. */
const TELLING = ['name', 'role', 'created_at'];

async function duplicates(em: EntityManager, { columns }: TableShape): Promise<Duplicate[]> {
  const told = columns.filter(({ name }) => TELLING.includes(name)).map(({ name }) => name);
  // Not `users.*`: a column of the former service may have the name of ours.
  const selected = ['id', ...told].map((name) => `users.${name}`).join(', ');
  const pairs = ['id', ...told].map((name) => `'${name}', ${name}${name === 'id' ? '' : '::text'}`);
  return em.execute<Duplicate[]>(
    `select normalized as email, array_agg(id::float8 order by id) as ids, json_agg(json_build_object(${pairs.join(', ')}) order by id) as accounts
       from (select ${selected}, coalesce(renamed.email, users.email::text) collate "C" as normalized
               from users left join ${RENAMED} as renamed on renamed.id = users.id) as emails
      where normalized is not null group by normalized having count(*) > 1 order by min(id)`,
  );
}
