import { quoteIdentifier as quote } from '../quote-identifier.ts';
import type { ColumnShape, TableShape } from './shape.ts';
import { choiceOf, TARGET, type TargetColumn } from './target.ts';

/** The temporary table of the emails that change, and what they become. */
export const RENAMED = 'rollcall_adoption';

/** The sequence of the accounts' ids, and its name until its place is free. */
export const SEQUENCE = 'users_id_seq';
const KEPT = 'rollcall_adoption_id_seq';

/** Whether a column is one of the accounts' table, and not of the service that had the table before. */
export function isOwn(column: string): boolean {
  return Object.hasOwn(TARGET, column);
}

/** A change of the table, for people (a line for each part) and for PostgreSQL; `isDetail` where people need not know. */
export interface Step {
  readonly says: string;
  readonly isDetail?: true;
  readonly sql: string;
}

/** The columns whose type changes. */
export function convertedColumns({ columns }: TableShape): string[] {
  return columns.filter(needsType).map(({ name }) => name);
}

/** The statements that make a table without problems what the first migration makes, in their order. */
export function stepsFor(shape: TableShape): Step[] {
  const has = new Map(shape.columns.map((column) => [column.name, column]));
  const own = shape.columns.filter(({ name }) => isOwn(name));
  return [
    ...droppedParts(shape),
    ...keptSequence(shape),
    ...own.filter(needsDefault).flatMap(dropDefault),
    ...conversions(own),
    ...Object.entries(TARGET)
      .filter(([name]) => !has.has(name))
      // Without its default: the values of other columns may say more.
      .map(([name, { type }]) => alter(`add column ${name}`, `add column "${name}" ${type}`)),
    { says: 'normalize emails, roles, storage modes and empty values', sql: NORMALIZE },
    ...sequence(shape),
    ...Object.entries(TARGET).flatMap(([name, target]) => finished(name, target, has.get(name))),
    ...constraints(shape),
  ];
}

function alter(says: string, action: string): Step {
  return { says, sql: `alter table "users" ${action}` };
}

/** Indexes and constraints of our columns alone: the migrations create those that are needed. */
function droppedParts({ constraints, indexes }: TableShape): Step[] {
  return [
    ...constraints
      .filter(({ kind, columns }) =>
        kind === 'c' ? columns.some(isOwn) : kind === 'u' && columns.every(isOwn),
      )
      .map(({ name }) => alter(`drop constraint ${name}`, `drop constraint ${quote(name)}`)),
    ...indexes
      .filter(({ columns }) => columns.every(isOwn))
      .map(({ name }) => ({ says: `drop index ${name}`, sql: `drop index ${quote(name)}` })),
  ];
}

function dropDefault({ name, identity, default: value }: ColumnShape): Step[] {
  // Its sequence goes with it.
  if (identity !== '') return [alter(`drop the identity of ${name}`, `alter column "${name}" drop identity`)];
  if (value === null) return [];
  return [alter(`drop the default of ${name}`, `alter column "${name}" drop default`)];
}

/** All of them in one statement, so that the table is written once. */
function conversions(own: readonly ColumnShape[]): Step[] {
  const converted = own.filter(needsType);
  if (converted.length === 0) return [];
  const collation = (type: string) => (type.startsWith('character') ? ' collate pg_catalog."default"' : '');
  const actions = converted.map(({ name, type: from }) => {
    const { type, using } = TARGET[name] as TargetColumn;
    return `alter column "${name}" type ${type}${collation(type)} using ${using(`"${name}"`, from)}`;
  });
  const says = converted.map(({ name, type }) => `convert ${name} from ${type} to ${TARGET[name]?.type}`);
  return [alter(says.join('\n'), actions.join(', '))];
}

const VALUES: Readonly<Record<string, string>> = {
  email: 'coalesce(renamed.email, users.email)',
  name: `case when btrim(users.name) <> '' then users.name end`,
  role: `coalesce(${choiceOf('users.role')}, 'user')`,
  storage_mode: `coalesce(${choiceOf('users.storage_mode')}, 'local')`,
  preferences: `nullif(users.preferences, 'null'::jsonb)`,
  created_at: 'coalesce(users.created_at, users.updated_at, now())',
  updated_at: 'coalesce(users.updated_at, users.created_at, now())',
};

const NORMALIZE = `
  update users set ${Object.entries(VALUES)
    .map(([column, value]) => `${column} = (${value})`)
    .join(', ')}
    from users as own left join ${RENAMED} as renamed on renamed.id = own.id
   where own.id = users.id
     and (${Object.entries(VALUES)
       .map(([column, value]) => `users.${column} is distinct from (${value})`)
       .join(' or ')})`;

/** The sequence of an identity goes with it, and how far it has come must not. */
function keptSequence({ sequence: found, columns }: TableShape): Step[] {
  if (found !== null && !isIdentity(columns)) return [];
  const create = {
    says: 'create the sequence of the ids',
    isDetail: true,
    sql: `create sequence "${KEPT}" as integer`,
  } as const;
  if (found === null) return [create];
  return [
    create,
    {
      says: 'keep the place of the sequence',
      isDetail: true,
      sql: `select setval('${KEPT}', last_value, is_called) from ${quote(found)}`,
    },
  ];
}

function sequence({ sequence: found, columns }: TableShape): Step[] {
  const name = found === null || isIdentity(columns) ? KEPT : found;
  const says =
    name === KEPT ? 'create the sequence users_id_seq' : `rename the sequence ${name} to users_id_seq`;
  return [
    ...(name === SEQUENCE ? [] : [{ says, sql: `alter sequence ${quote(name)} rename to "${SEQUENCE}"` }]),
    {
      says: 'give the sequence its range',
      isDetail: true,
      sql: `alter sequence "${SEQUENCE}" as integer increment 1 minvalue 1 maxvalue 2147483647 no cycle`,
    },
    {
      says: 'give the sequence to its column',
      isDetail: true,
      sql: `alter sequence "${SEQUENCE}" owned by "users"."id"`,
    },
    // Where rows were copied into the table, the sequence may be behind them.
    {
      says: 'move the sequence behind the ids',
      isDetail: true,
      sql: `select setval('${SEQUENCE}', max(id)) from users having max(id) >= (select last_value from "${SEQUENCE}")`,
    },
  ];
}

function isIdentity(columns: readonly ColumnShape[]): boolean {
  return columns.some(({ name, identity }) => name === 'id' && identity !== '');
}

function finished(name: string, target: TargetColumn, column: ColumnShape | undefined): Step[] {
  const steps: Step[] = [];
  const value = target.default;
  if (value !== null && (column === undefined || needsDefault(column))) {
    steps.push(
      alter(`set the default of ${name} to ${value}`, `alter column "${name}" set default ${value}`),
    );
  }
  if (!target.nullable && column?.notNull !== true) {
    steps.push(alter(`set ${name} not null`, `alter column "${name}" set not null`));
  }
  if (target.nullable && column?.notNull) {
    steps.push(alter(`let ${name} be null`, `alter column "${name}" drop not null`));
  }
  return steps;
}

function constraints(shape: TableShape): Step[] {
  const primary = shape.constraints.find(({ kind }) => kind === 'p')?.name ?? 'users_pkey';
  return [
    ...(primary === 'users_pkey'
      ? []
      : [
          alter(
            `rename the constraint ${primary} to users_pkey`,
            `rename constraint ${quote(primary)} to "users_pkey"`,
          ),
        ]),
    alter(
      'add the constraints users_email_unique, users_email_normalized and users_storage_mode_check',
      `add constraint "users_email_unique" unique ("email"),
       add constraint "users_email_normalized" check (email = normalize(lower(btrim(email)), NFKC)),
       add constraint "users_storage_mode_check" check ("storage_mode" in ('local', 'account'))`,
    ),
  ];
}

function needsType({ name, type, hasOwnCollation }: ColumnShape): boolean {
  const target = TARGET[name];
  return target !== undefined && (type !== target.type || (hasOwnCollation && type.startsWith('character')));
}

/** Whether its default is another one, or hinders the conversion of its type. */
function needsDefault(column: ColumnShape): boolean {
  const target = TARGET[column.name];
  if (target === undefined) return false;
  if (column.identity !== '' || needsType(column))
    return column.identity !== '' || column.default !== null || target.default !== null;
  return column.default?.replace(/::character varying$/, '') !== (target.default ?? undefined);
}
