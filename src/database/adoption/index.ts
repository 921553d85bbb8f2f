import type { Migrator } from '@mikro-orm/migrations';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { isUnavailable } from '../driver-errors.ts';
import { lockTable } from './lock.ts';
import { CannotAdopt } from './problem.ts';
import { readShape } from './shape.ts';
import type { Step } from './statements.ts';
import { problemsOfShape, type Survey, survey } from './survey.ts';
import { FIRST_MIGRATION } from './target.ts';

export { STATUS_MIGRATION, suspendBarred } from './barred.ts';
export { mergeDuplicates } from './merge.ts';
export { CannotAdopt, duplicateLines, problemLines } from './problem.ts';
export { type Survey, survey } from './survey.ts';
export { FIRST_MIGRATION } from './target.ts';

/**
 * Makes a table `users` that another service has filled what the first migration makes, in the transaction of `em`, and notes that
 * migration as applied. Returns `undefined` where our schema has none. Throws {@link CannotAdopt} before it changes anything.
 */
export async function adopt(orm: MikroORM, em: EntityManager): Promise<Survey | undefined> {
  const shape = await readShape(em);
  if (shape === undefined) return undefined;
  // From here on, what has been checked stays so. Another application's table is not locked.
  if (problemsOfShape(em, shape).length === 0) await lockTable(em, 'access exclusive');
  const found = await survey(em);
  if (found === undefined) return undefined;
  const { problems, duplicates, steps } = found;
  if (problems.length + duplicates.length > 0) throw new CannotAdopt(problems, duplicates);
  for (const step of steps) await take(em, step);
  const ledger = (orm.migrator as Migrator).getStorage();
  await ledger.logMigration({ name: FIRST_MIGRATION }, em.getTransactionContext());
  return found;
}

/** A table can depend on its columns in more ways than the survey knows. */
async function take(em: EntityManager, { says, sql }: Step): Promise<void> {
  try {
    await em.execute(sql);
  } catch (error) {
    if (isUnavailable(error)) throw error;
    const { message, detail = '' } = error as Error & { detail?: string };
    const problem = `could not ${says.replaceAll('\n', ', ')}: ${message}. ${detail}`.trim();
    throw new CannotAdopt([{ column: 'users', message: problem }], []);
  }
}
