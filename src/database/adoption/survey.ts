import type { EntityManager } from '@mikro-orm/postgresql';
import { barringColumns, countBarred } from './barred.ts';
import type { Duplicate, Problem } from './problem.ts';
import { rowProblems } from './row-problems.ts';
import { scan } from './scan.ts';
import { readShape, type TableShape } from './shape.ts';
import { isReadable, shapeProblems } from './shape-problems.ts';
import { type Step, stepsFor } from './statements.ts';

/** What the first boot would find and do. */
export interface Survey {
  readonly shape: TableShape;
  readonly accounts: number;
  /** How many emails are stored in another form. */
  readonly renamedEmails: number;
  /** How many accounts its columns bar from signing in, and these columns: Rollcall suspends the accounts. */
  readonly barred: number;
  readonly barringColumns: readonly string[];
  readonly problems: readonly Problem[];
  readonly duplicates: readonly Duplicate[];
  /** Empty where there are problems. */
  readonly steps: readonly Step[];
}

/** The survey of a table whose rows cannot be read. */
const NOTHING = { accounts: 0, renamedEmails: 0, barred: 0, barringColumns: [], duplicates: [], steps: [] };

/** Tables of ours that the entities do not mention. */
const OTHER_TABLES = ['rate_limits'];

/**
 * Looks at the table `users` of our schema, and at every row of it that may be an account's, in the transaction of `em`, which gets a temporary table. Returns
 * `undefined` without one.
 */
export async function survey(em: EntityManager): Promise<Survey | undefined> {
  const shape = await readShape(em);
  if (shape === undefined) return undefined;
  const ofShape = problemsOfShape(em, shape);
  if (!isReadable(shape)) {
    return { shape, ...NOTHING, problems: ofShape };
  }
  const scanned = await scan(em, shape);
  const problems = [...ofShape, ...(await rowProblems(em, shape)), ...scanned.problems];
  return {
    shape,
    accounts: scanned.rows,
    renamedEmails: scanned.renamed,
    barred: await countBarred(em, shape),
    barringColumns: barringColumns(shape),
    problems,
    duplicates: scanned.duplicates,
    steps: problems.length > 0 ? [] : stepsFor(shape),
  };
}

/** The problems of the table itself, without a look at its rows. */
export function problemsOfShape(em: EntityManager, shape: TableShape): Problem[] {
  return shapeProblems(shape, reserved(em));
}

/** The names that the migrations give to columns and tables. */
function reserved(em: EntityManager): { columns: string[]; tables: string[] } {
  const entities = [...em.getMetadata().getAll().values()];
  const accounts = entities.find(({ tableName }) => tableName === 'users');
  return {
    columns: accounts?.props.flatMap(({ fieldNames }) => fieldNames ?? []) ?? [],
    tables: [
      ...entities.map(({ tableName }) => tableName).filter((name) => name !== 'users'),
      ...OTHER_TABLES,
    ],
  };
}
