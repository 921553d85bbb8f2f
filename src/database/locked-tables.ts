// Of statements for tables that are there. An index that is built or dropped CONCURRENTLY locks nobody out.
const NAME = String.raw`(?:"?\w+"?\.)?"?(\w+)"?`;
const IF_EXISTS = '(?:if (?:not )?exists )?';
const LOCKING = [
  `alter table ${IF_EXISTS}(?:only )?${NAME}`,
  `create (?:unique )?index (?!concurrently)${IF_EXISTS}\\S+ on (?:only )?${NAME}`,
  `drop table ${IF_EXISTS}${NAME}`,
  `truncate (?:table )?(?:only )?${NAME}`,
  `lock (?:table )?(?:only )?${NAME} in`,
  `create (?:or replace )?(?:constraint )?trigger \\S+ (?:before|after|instead of) [^;]*? on ${NAME}`,
  `drop trigger ${IF_EXISTS}\\S+ on ${NAME}`,
  // A foreign key keeps writers of the other table out.
  `references ${NAME}`,
  `cluster ${NAME}`,
].map((form) => new RegExp(`\\b${form.replaceAll(' ', '\\s+')}`, 'gi'));

const DROPPED_INDEX = new RegExp(
  `\\bdrop index (?!concurrently)${IF_EXISTS}${NAME}`.replaceAll(' ', '\\s+'),
  'gi',
);
const CREATED = new RegExp(`\\bcreate table ${IF_EXISTS}${NAME}`.replaceAll(' ', '\\s+'), 'gi');

/** What statements of a migration name, as far as they are written out in its text. */
export interface NamedTables {
  /** The tables that it locks. */
  readonly locked: readonly string[];
  /** The tables that it creates. */
  readonly created: readonly string[];
  /** The indexes that it drops: it locks their tables. */
  readonly droppedIndexes: readonly string[];
}

/** Finds the tables that SQL names in statements that lock them. */
export function namedTables(sql: string): NamedTables {
  const named = (form: RegExp) => [...sql.matchAll(form)].map(([, name = '']) => name);
  return {
    locked: [...new Set(LOCKING.flatMap(named))],
    created: named(CREATED),
    droppedIndexes: named(DROPPED_INDEX),
  };
}
