import type { ColumnMeaning } from '../../../domain/import-report.ts';
import type { InputError } from '../../../domain/refusal.ts';
import { COLUMNS, type Column, SHOWN_FIELDS } from '../../../domain/user.ts';

/** The names of the column with the email, by precedence: a row has the first one that is not empty. */
const EMAILS = ['email', 'primaryEmail', 'mail', 'userPrincipalName', 'login', 'username'] as const;

/** The names of the columns that make the name, by precedence. Two of them are joined. */
const NAMES = [['name'], ['displayName'], ['firstName', 'lastName']] as const;

/** Other names for the same. */
const ALIASES: Readonly<Record<string, string>> = {
  emailAddress: 'email',
  upn: 'userPrincipalName',
  fullName: 'name',
  givenName: 'firstName',
  surname: 'lastName',
  familyName: 'lastName',
};

/** Columns of an export that an import does not need: an account is known by its email. */
const PASSED_OVER: readonly (typeof SHOWN_FIELDS)[number][] = ['id', 'version', 'updatedAt', 'lastSeenAt'];

/** Our columns whose names stand for something else in the file of a directory. */
const AMBIGUOUS: readonly string[] = ['role', 'status', ...PASSED_OVER];

/** A file is that of a directory if it names the email otherwise than `email`, or has brackets in a name, as Google's does. */
const OF_DIRECTORIES: readonly string[] = EMAILS.slice(1);
const BRACKETS = /\[[^[\]]*\]/;

/** The columns that we read by the name that they have in an export. */
const OWN = COLUMNS.filter(
  (column) => column !== 'email' && column !== 'name' && !PASSED_OVER.includes(column),
);

/** The most columns: as many as a sheet of Excel has. */
const MAX_COLUMNS = 16_384;

/** What each key, see {@link keyOf}, means. */
const MEANINGS = new Map<string, string>([
  ...[...EMAILS, ...NAMES.flat(), ...SHOWN_FIELDS].map((name) => [keyOf(name), name] as const),
  ...Object.entries(ALIASES).map(([alias, name]) => [keyOf(alias), name] as const),
]);

/** The columns of a file by what they mean, as numbers from 0. */
export interface Header {
  readonly width: number;
  /** By precedence. */
  readonly email: readonly number[];
  /** By precedence; the columns of each are joined. */
  readonly name: readonly (readonly number[])[];
  readonly fields: readonly (readonly [field: Column, column: number])[];
  /** What each column is taken for. */
  readonly columns: readonly ColumnMeaning[];
  /** The names of the columns that mean nothing here. */
  readonly ignoredColumns: readonly string[];
}

/** A header line that cannot be read. */
export interface WrongHeader {
  readonly faults: readonly InputError[];
  readonly columns?: readonly ColumnMeaning[];
}

/**
 * Reads a header line: names in any case, with blanks, underscores, hyphens or without, ours or those of spreadsheets and
 * directories. Columns with no name at the end are no columns.
 */
export function headerOf(cells: readonly string[]): Header | WrongHeader {
  const width = cells.findLastIndex((cell) => cell.trim() !== '') + 1;
  if (width > MAX_COLUMNS) {
    return {
      faults: [{ path: '', message: `The header line has ${width} columns; ${MAX_COLUMNS} are allowed.` }],
    };
  }
  const names = cells.slice(0, width).map((cell) => cell.trim());
  const columns = new Map<string, number>();
  const ignoredColumns: string[] = [];
  const faults: InputError[] = [];
  const meanings = names.map((name) => MEANINGS.get(keyOf(name)));
  const isDirectory =
    meanings.some((meaning) => meaning !== undefined && OF_DIRECTORIES.includes(meaning)) ||
    names.some((name) => BRACKETS.test(name));
  const found = meanings.map((meaning) =>
    meaning !== undefined && isDirectory && AMBIGUOUS.includes(meaning) ? undefined : meaning,
  );
  for (const [column, name] of names.entries()) {
    const meaning = found[column];
    if (meaning === undefined) {
      ignoredColumns.push(name === '' ? `column ${column + 1}` : name);
      continue;
    }
    const earlier = columns.get(meaning);
    if (earlier === undefined) columns.set(meaning, column);
    else faults.push({ path: name, message: `Means the same as ${names[earlier]}: keep one of the two.` });
  }
  const columnsOf = (wanted: readonly string[]) =>
    wanted.map((name) => columns.get(name)).filter((column) => column !== undefined);
  const email = columnsOf(EMAILS);
  if (email.length === 0) faults.push(...missingEmail());
  const columnMeanings = names.map((name, column) => ({ name, field: fieldOf(found[column]) }));
  if (faults.length > 0) return { faults, columns: columnMeanings };
  return {
    width,
    columns: columnMeanings,
    email,
    name: NAMES.map(columnsOf).filter((joined) => joined.length > 0),
    fields: OWN.flatMap((field) => columnsOf([field]).map((column) => [field, column] as const)),
    ignoredColumns,
  };
}

/** The field that a column with this meaning gives; `null` for none. */
function fieldOf(meaning: string | undefined): string | null {
  if (meaning === undefined || PASSED_OVER.some((column) => column === meaning)) return null;
  if (EMAILS.some((name) => name === meaning)) return 'email';
  return NAMES.flat().some((name) => name === meaning) ? 'name' : meaning;
}

/** A name without what spreadsheets and directories change or add. */
function keyOf(name: string): string {
  return name
    .normalize('NFKC')
    .replace(/\[required\]$/i, '')
    .replace(/[\s_-]+/g, '')
    .toLowerCase();
}

function missingEmail(): InputError[] {
  const emails = ['emailAddress', ...EMAILS.slice(1)].join(', ');
  const names = NAMES.flat().join(', ');
  return [
    { path: 'email', message: `This column is missing in the header line. Other names for it: ${emails}.` },
    {
      path: '',
      message: `Further columns that are read: ${names}, ${OWN.join(', ')}. A comma, a semicolon or a tab separates them.`,
    },
  ];
}
