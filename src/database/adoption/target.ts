/** The migration that creates the accounts' table: a database whose ledger lacks it has a table of somebody else. */
export const FIRST_MIGRATION = 'Migration20261123000000_users';

/** A column of the accounts' table as the first migration creates it. */
export interface TargetColumn {
  /** As `format_type` prints it. */
  readonly type: string;
  readonly default: string | null;
  readonly nullable: boolean;
  /** The types that can be converted to it, as `format_type` prints them without their length. */
  readonly from: readonly string[];
  /** Whether values of an enum can be converted too. */
  readonly fromEnum?: boolean;
  /** Converts a value of any of these types; `column` is quoted already. */
  readonly using: (column: string, type: string) => string;
}

const TEXTS = ['character varying', 'text', 'citext', 'character'];
const TIMES = ['timestamp with time zone', 'timestamp without time zone', 'date'];

const text = (length: number) => (column: string) => `${column}::text::varchar(${length})`;
const choice = (length: number) => (column: string) => `${choiceOf(column)}::varchar(${length})`;
// Without a time zone, services store UTC.
const time = (column: string, type: string) =>
  type === 'timestamp with time zone' ? column : `${column}::timestamp at time zone 'UTC'`;

/** A role or storage mode in lower case: SQLAlchemy stores the names of an enum, which are in upper case. */
export function choiceOf(column: string): string {
  return `lower(btrim(${column}::text) collate "C")`;
}

/** The columns of the accounts' table after the first migration, in its order. */
export const TARGET: Readonly<Record<string, TargetColumn>> = {
  id: {
    type: 'integer',
    default: `nextval('users_id_seq'::regclass)`,
    nullable: false,
    from: ['integer', 'bigint', 'smallint'],
    using: (column) => `${column}::integer`,
  },
  email: { type: 'character varying(255)', default: null, nullable: false, from: TEXTS, using: text(255) },
  name: { type: 'character varying(255)', default: null, nullable: true, from: TEXTS, using: text(255) },
  role: {
    type: 'character varying(50)',
    default: `'user'`,
    nullable: false,
    from: TEXTS,
    fromEnum: true,
    using: choice(50),
  },
  preferences: {
    type: 'jsonb',
    default: null,
    nullable: true,
    from: ['jsonb', 'json'],
    using: (column) => `${column}::jsonb`,
  },
  storage_mode: {
    type: 'character varying(10)',
    default: `'local'`,
    nullable: false,
    from: TEXTS,
    fromEnum: true,
    using: choice(10),
  },
  created_at: {
    type: 'timestamp with time zone',
    default: 'now()',
    nullable: false,
    from: TIMES,
    using: time,
  },
  updated_at: {
    type: 'timestamp with time zone',
    default: 'now()',
    nullable: false,
    from: TIMES,
    using: time,
  },
};
