import type { EntityManager } from '@mikro-orm/postgresql';
import pRetry from 'p-retry';
import { isLockTimeout } from '../../database/driver-errors.ts';
import { quoteIdentifier as quoted } from '../../database/quote-identifier.ts';
import {
  ANALYZE_SQL,
  fillWalks,
  grantsSql,
  interfaceSql,
  mendWalk,
  pageSql,
  RELATIONS,
  rangeOf,
  removalSql,
  SCHEMA,
  SCHEMA_SQL,
  TRIGGERS,
  triggersSql,
  type Walk,
} from './interface-sql.ts';
import { isSchemaEmpty, type Survey, surveyOf } from './survey.ts';

/** How a transaction here begins: it waits for a lock only briefly, because writers of accounts wait behind it, and two come one after the other. */
const BEGINNING = [
  "set local lock_timeout = '2s'",
  "set local statement_timeout = '20s'",
  `select pg_advisory_xact_lock(hashtextextended('rollcall publication', 0))`,
];

/** How often it tries to get its locks: the writers that waited behind it go on meanwhile. */
const RETRIES = { retries: 2, minTimeout: 500, factor: 1 };

/** How many rows are looked at in one transaction. */
const PAGE_SIZE = 10_000;

/** The accounts cannot be published, or their publication cannot be removed, and why. */
export class CannotPublish extends Error {
  override readonly name = 'CannotPublish';
}

/**
 * Publishes the accounts to the app's own tables in the same database: the view `rollcall.accounts`, the table `rollcall.account_ids` for
 * foreign keys, and `rollcall.current_account()` and `rollcall.is_admin()` for row-level security. `reader` is the app's role, which may use
 * them from then on. Can be repeated, also after it was killed and while accounts are written. Throws {@link CannotPublish}.
 */
export async function publishAccounts(
  em: EntityManager,
  reader: string | undefined,
): Promise<{ published: readonly string[] }> {
  const { home } = await inOrder(em, async (em) => {
    const found = await surveyOf(em, reader);
    requireRoom(found, reader);
    await runAll(em, statementsOf(found));
    return found;
  });
  // Apart from the triggers, and by pages, so that writers of accounts wait for none of it. What the app may use is whole.
  for (const walk of [...fillWalks(home), mendWalk(home)])
    for await (const statements of pagesOf(em, walk))
      await em.fork().transactional((em) => runAll(em, statements));
  await em.execute(ANALYZE_SQL);
  if (reader !== undefined) await inOrder(em, (em) => runAll(em, grantsSql(reader)));
  return { published: RELATIONS };
}

/** The statements of {@link publishAccounts}, for somebody who wants to read them first. Throws {@link CannotPublish}. */
export async function publicationSql(em: EntityManager, reader: string | undefined): Promise<string> {
  const found = await surveyOf(em, reader);
  requireRoom(found, reader);
  const { home, hasIds } = found;
  const statements = ['begin', ...BEGINNING, ...statementsOf(found), 'commit'];
  for (const walk of fillWalks(home))
    for await (const page of pagesOf(em, walk)) statements.push('begin', ...page, 'commit');
  // What is filled for the first time has hardly anything to mend.
  const mend = mendWalk(home);
  const pages = hasIds ? pagesOf(em, mend) : [mend.statements(rangeOf(mend, undefined, mend.end))];
  for await (const page of pages) statements.push('begin', ...page, 'commit');
  statements.push(ANALYZE_SQL, ...(reader === undefined ? [] : grantsSql(reader)));
  return statements.map((statement) => `${statement};\n`).join('');
}

/**
 * Removes what {@link publishAccounts} has made, and its schema where nothing else is in it. Throws {@link CannotPublish} where something
 * of the app depends on it; nothing is removed then.
 */
export async function unpublishAccounts(em: EntityManager): Promise<{ removed: readonly string[] }> {
  return inOrder(em, async (em) => {
    const found = await surveyOf(em, undefined);
    requireOurs(found);
    await runAll(em, removalSql(found.home));
    if (found.ownsSchema && (await isSchemaEmpty(em))) await em.execute(`drop schema ${SCHEMA}`);
    return { removed: RELATIONS };
  });
}

/** Runs work in a transaction of its own, one such work after the other. Throws {@link CannotPublish} for what the database refuses. */
async function inOrder<T>(em: EntityManager, work: (em: EntityManager) => Promise<T>): Promise<T> {
  try {
    return await pRetry(
      () =>
        em.fork().transactional(async (em) => {
          await runAll(em, BEGINNING);
          return work(em);
        }),
      { ...RETRIES, shouldRetry: ({ error }) => isLockTimeout(error) },
    );
  } catch (error) {
    const { code, detail, message } = error as { code?: string; detail?: string; message: string };
    // dependent_objects_still_exist.
    if (code === '2BP01')
      throw new CannotPublish(`Something of the app depends on it: drop that first. ${detail}`, {
        cause: error,
      });
    // insufficient_privilege.
    if (code === '42501')
      throw new CannotPublish(`${message}: publish as the owner of Rollcall's tables.`, { cause: error });
    throw error;
  }
}

/** The statements of each page of a walk: a transaction of its own, because a deletion waits for that of its account. */
async function* pagesOf(em: EntityManager, walk: Walk): AsyncGenerator<readonly string[]> {
  let end: string | undefined = walk.end;
  while (end !== undefined) {
    const found: { begin: string }[] = await em.execute(pageSql(walk), [end, PAGE_SIZE - 1]);
    const begin = found[0]?.begin;
    yield walk.statements(rangeOf(walk, begin, end));
    end = begin;
  }
}

async function runAll(em: EntityManager, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await em.execute(statement);
}

function statementsOf(found: Survey): string[] {
  const { home, needsPath, hasSchema, triggers } = found;
  const missing = triggersSql(home).filter((_, index) => !triggers.includes(TRIGGERS[index] as string));
  return [
    ...(needsPath ? [pathSql(found)] : []),
    // Even where it exists, `if not exists` wants the right to create schemas.
    ...(hasSchema ? [] : SCHEMA_SQL),
    ...interfaceSql(home),
    // Last, so that the locks on the accounts are held shortly.
    ...missing,
  ];
}

/** The statement that keeps new sessions of the role out of the schema, which they would find by its name. */
function pathSql({ role, database, path }: Survey): string {
  return `alter role ${quoted(role)} in database ${quoted(database)} set search_path = ${path.map(quoted).join(', ')}`;
}

function requireOurs({ foreign }: Survey): void {
  if (foreign.length > 0)
    throw new CannotPublish(`There is something else under the name ${foreign.join(', ')}: rename it first.`);
}

function requireRoom(found: Survey, reader: string | undefined): void {
  requireOurs(found);
  const { role, database, isDiverted, hasSchema, mayUse, mayCreate, knowsReader } = found;
  if (isDiverted)
    throw new CannotPublish(
      `The sessions of the role ${role} would look into the schema of that name first. ` +
        `Run this, and reconnect the pooler: ${pathSql(found)}`,
    );
  if (reader !== undefined && !knowsReader) throw new CannotPublish(`There is no role ${reader}.`);
  if (!hasSchema && !mayCreate)
    throw new CannotPublish(
      `The role ${role} may not create schemas in the database ${database}. Its owner runs: ` +
        `create schema ${SCHEMA} authorization ${quoted(role)}`,
    );
  if (hasSchema && !mayUse)
    throw new CannotPublish(
      `The role ${role} may not create tables in the schema ${SCHEMA}, or not let others use it. Its owner runs: ` +
        `grant usage, create on schema ${SCHEMA} to ${quoted(role)} with grant option`,
    );
}
