import type { Problem } from './problem.ts';
import type { ColumnShape, TableShape } from './shape.ts';
import { convertedColumns, isOwn, SEQUENCE } from './statements.ts';
import { TARGET } from './target.ts';

/** The columns of which a table of accounts has at least one. Many other tables of users have roles. */
const SIGNS = ['preferences', 'storage_mode'];

/** A column with passwords: its service signs people in by itself. */
const CREDENTIAL = /passw(or)?d|pwd|^password|_hash$|^salt$/i;

/** What the rest of the schema must not have, because later migrations create it. */
export interface Reserved {
  readonly columns: readonly string[];
  readonly tables: readonly string[];
}

/** Everything about the table itself, column by column, that keeps it from being adopted. */
export function shapeProblems(shape: TableShape, reserved: Reserved): Problem[] {
  if (shape.kind !== 'r') {
    const kinds: Record<string, string> = { v: 'a view', m: 'a materialized view', p: 'a partitioned table' };
    return [
      problem(
        'users',
        `is ${kinds[shape.kind] ?? 'no ordinary table'}; only an ordinary table can be adopted`,
      ),
    ];
  }
  return [
    ...tableProblems(shape),
    ...missing(shape),
    ...shape.columns.flatMap((column) => columnProblems(column, shape, reserved)),
    ...constraintProblems(shape),
    ...viewProblems(shape),
    ...[...reserved.tables, ...(shape.sequence === SEQUENCE ? [] : [SEQUENCE])]
      .filter((table) => shape.neighbours.includes(table))
      .map((table) => problem('users', `has a neighbour ${table}, a name that Rollcall needs; rename it`)),
  ];
}

/** Whether the column is one of ours, with a type that can be converted. */
export function isConvertible({ name, type, isEnum }: ColumnShape): boolean {
  const target = TARGET[name];
  if (target === undefined) return false;
  return target.from.includes(type.replace(/\(\d+\)/, '')) || (target.fromEnum === true && isEnum);
}

/** Whether the rows can be examined: those of a table that may hold accounts, with their ids and emails. */
export function isReadable({ kind, isOwned, columns }: TableShape): boolean {
  const readable = columns.filter(isConvertible).map(({ name }) => name);
  const isOurs = SIGNS.some((sign) => columns.some(({ name }) => name === sign));
  return kind === 'r' && isOwned && isOurs && readable.includes('id') && readable.includes('email');
}

function tableProblems(shape: TableShape): Problem[] {
  const faults: [boolean, string][] = [
    [
      !shape.isOwned,
      'belongs to another role; run `alter table users owner to …` with the role of DATABASE_URL',
    ],
    [shape.isUnlogged, 'is not safe from a crash; run `alter table users set logged`'],
    [
      shape.hasRowSecurity,
      'has row level security, which would hide accounts; disable it and drop its policies',
    ],
    [shape.isInherited, 'inherits, or is inherited from; only a table that stands alone can be adopted'],
    [
      shape.triggers.length > 0,
      `has triggers, and accounts change only as their history says; drop ${shape.triggers.join(', ')}`,
    ],
    [shape.rules.length > 0, `has rules; drop ${shape.rules.join(', ')}`],
  ];
  return faults.filter(([isFault]) => isFault).map(([, message]) => problem('users', message));
}

function missing({ columns }: TableShape): Problem[] {
  const has = (name: string) => columns.some((column) => column.name === name);
  const lacking = ['id', 'email'].filter((name) => !has(name)).map((name) => problem(name, 'is missing'));
  if (SIGNS.some(has)) return lacking;
  return [
    ...lacking,
    problem(
      SIGNS.join(', '),
      'all missing: the table seems to belong to another application; give Rollcall a database or a schema of its own',
    ),
  ];
}

function columnProblems(column: ColumnShape, shape: TableShape, reserved: Reserved): Problem[] {
  const { name, type } = column;
  const target = TARGET[name];
  if (column.isGenerated)
    return [problem(name, 'is generated; make it an ordinary column (`alter column … drop expression`)')];
  if (target !== undefined) {
    if (isConvertible(column)) return [];
    return [problem(name, `has the type ${type}; change it to ${target.type}`)];
  }
  if (reserved.columns.includes(name)) {
    return [problem(name, 'is a name that Rollcall needs for a column of its own; rename the column')];
  }
  if (CREDENTIAL.test(name)) {
    return [
      problem(
        name,
        'looks like a password: people sign in elsewhere with Rollcall; move the column to another table, or give Rollcall a schema of its own',
      ),
    ];
  }
  const isMade = column.default !== null || column.identity !== '';
  if (column.notNull && !isMade) {
    return [
      problem(
        name,
        'is not null and has no default, so no account could be created; give it a default or drop not null',
      ),
    ];
  }
  const isUnique = [
    ...shape.constraints.filter(({ kind }) => kind === 'u'),
    ...shape.indexes.filter((index) => index.isUnique),
  ];
  // A default with a call, such as of a sequence, differs from row to row.
  const isConstant = column.default !== null && !column.default.includes('(');
  if (isConstant && isUnique.some(({ columns }) => columns.length === 1 && columns[0] === name)) {
    return [
      problem(
        name,
        'is unique and has a constant default, so only one account could be created; drop the default',
      ),
    ];
  }
  return [];
}

function constraintProblems({ constraints, references }: TableShape): Problem[] {
  const primary = constraints.find(({ kind }) => kind === 'p');
  return [
    ...(primary?.columns.join() === 'id'
      ? []
      : [problem('id', 'is not the primary key; make it the primary key')]),
    ...constraints
      .filter(({ kind, columns }) => (kind === 'f' || kind === 'x') && columns.some(isOwn))
      .map(({ name, columns }) => problem(columns.join(', '), `has the constraint ${name}; drop it`)),
    ...references
      .filter(({ referenced }) => referenced.join() !== 'id')
      .map(({ table, constraint, referenced }) =>
        problem(
          referenced.join(', '),
          `is what ${constraint} of ${table} points at; let it point at id, or drop it`,
        ),
      ),
  ];
}

function viewProblems(shape: TableShape): Problem[] {
  const converted = new Set(convertedColumns(shape));
  return shape.views.flatMap(({ name, columns }) => {
    const blocked = columns.filter((column) => converted.has(column));
    if (blocked.length === 0) return [];
    return [
      problem(
        blocked.join(', '),
        `needs another type, which the view ${name} prevents; drop it and create it again later`,
      ),
    ];
  });
}

function problem(column: string, message: string): Problem {
  return { column, message };
}
