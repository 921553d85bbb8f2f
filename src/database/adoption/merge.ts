import type { EntityManager } from '@mikro-orm/postgresql';
import { mergePatch } from '../../domain/preferences.ts';
import { quoteIdentifier } from '../quote-identifier.ts';
import { lockTable } from './lock.ts';
import { CannotAdopt, type Duplicate, type Problem } from './problem.ts';
import { type Reference, readShape } from './shape.ts';
import { survey } from './survey.ts';

/** What a merge has done to the accounts of one email. */
export interface Merge {
  readonly email: string;
  /** The oldest account, by its id. */
  readonly kept: number;
  readonly removed: readonly number[];
  /** How many rows of other tables point at the kept account now. */
  readonly repointed: number;
}

/**
 * Merges accounts with one email into the oldest of them, in the transaction of `em`: it keeps its role and storage mode, its
 * preferences win, and rows of other tables that point at the others point at it. Throws {@link CannotAdopt} where the table has
 * problems beside duplicates, or where another table may not have two rows for one account.
 */
export async function mergeDuplicates(em: EntityManager): Promise<readonly Merge[] | undefined> {
  const before = await readShape(em);
  if (before === undefined) return undefined;
  if (before.kind === 'r' && before.isOwned) await lockTable(em, 'share row exclusive');
  const found = await survey(em);
  if (found === undefined) return undefined;
  const { shape, problems, duplicates } = found;
  if (problems.length > 0) throw new CannotAdopt(problems, []);
  const columns = new Set(shape.columns.map(({ name }) => name));
  const repointed = await repoint(em, shape.references, duplicates);
  const merges: Merge[] = [];
  for (const duplicate of duplicates) {
    await mergeValues(em, duplicate, columns);
    const [kept = 0, ...removed] = duplicate.ids;
    merges.push({ email: duplicate.email, kept, removed, repointed: repointed.get(kept) ?? 0 });
  }
  await em.execute(
    'delete from users where id in (select value::bigint from jsonb_array_elements_text(?::jsonb))',
    [JSON.stringify(merges.flatMap(({ removed }) => removed))],
  );
  return merges;
}

/** Returns how many rows now point at each kept account. */
async function repoint(
  em: EntityManager,
  references: readonly Reference[],
  duplicates: readonly Duplicate[],
): Promise<Map<number, number>> {
  const pairs = duplicates.flatMap(({ ids: [kept, ...removed] }) => removed.map((id) => ({ id, kept })));
  const counts = new Map<number, number>();
  const problems: Problem[] = [];
  for (const { table, columns, constraint } of references) {
    const column = quoteIdentifier(columns[0] as string);
    try {
      // In a savepoint, so that every table with a conflict can be named.
      await em.transactional(async (inner) => {
        const rows = await inner.execute<{ kept: number }[]>(
          `update ${table} as referring set ${column} = pairs.kept
             from jsonb_to_recordset(?::jsonb) as pairs (id bigint, kept bigint)
            where referring.${column} = pairs.id returning pairs.kept::float8 as kept`,
          [JSON.stringify(pairs)],
        );
        for (const { kept } of rows) counts.set(kept, (counts.get(kept) ?? 0) + 1);
      });
    } catch (error) {
      const { code, detail } = error as { code?: string; detail?: string };
      // A unique or an exclusion constraint.
      if (code !== '23505' && code !== '23P01') throw error;
      problems.push({
        column: `${table}.${columns[0]}`,
        message:
          `may not have several rows of one account (${constraint}); keep one row of each. ${detail ?? ''}`.trim(),
      });
    }
  }
  if (problems.length > 0) throw new CannotAdopt(problems, []);
  return counts;
}

/** Gives the kept account what only the others know. */
async function mergeValues(
  em: EntityManager,
  { ids }: Duplicate,
  columns: ReadonlySet<string>,
): Promise<void> {
  const [kept] = ids;
  const list = JSON.stringify(ids);
  const merged = 'select value::bigint from jsonb_array_elements_text(?::jsonb)';
  if (columns.has('preferences')) {
    const rows = await em.execute<{ preferences: object | null }[]>(
      `select preferences from users where id in (${merged}) order by id desc`,
      [list],
    );
    const preferences = rows.reduce<unknown>((result, row) => mergePatch(result, row.preferences ?? {}), {});
    await em.execute(`update users set preferences = ? where id = ?`, [JSON.stringify(preferences), kept]);
  }
  if (columns.has('name')) {
    await em.execute(
      `update users set name = (select name from users where id in (${merged}) and btrim(name) <> '' order by id limit 1)
        where id = ?`,
      [list, kept],
    );
  }
  if (columns.has('created_at')) {
    await em.execute(
      `update users set created_at = (select min(created_at) from users where id in (${merged})) where id = ?`,
      [list, kept],
    );
  }
}
