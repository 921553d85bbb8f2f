import { z } from 'zod';
import { type AccountValues, STATE_FIELDS } from '../../domain/change.ts';
import { checkPreferences, isObject, type PreferenceRules } from '../../domain/preferences.ts';
import { type InputError, Refusal } from '../../domain/refusal.ts';
import { acceptEmail, ROLES, SHOWN_FIELDS, STATUSES, STORAGE_MODES } from '../../domain/user.ts';
import { changeableFields, errorsOf, fields, isPlainName } from '../accounts/fields.ts';
import { creationTime, creationTimeOf } from './creation-time.ts';

/** A valid line. `undefined` values were not given. */
export interface ImportLine {
  readonly number: number;
  /** Normalized. */
  readonly email: string;
  /** For a new account; ISO 8601, in UTC. */
  readonly createdAt: string | null | undefined;
  readonly values: { readonly [Field in keyof AccountValues]?: AccountValues[Field] | undefined };
}

/** A line that is wrong. */
export interface WrongLine {
  readonly number: number;
  readonly faults: readonly InputError[];
}

/** Columns of an export that an import ignores: an account is known by its email. */
const IGNORED: ReadonlySet<string> = new Set(
  SHOWN_FIELDS.filter((column) => column !== 'createdAt' && !STATE_FIELDS.some((field) => field === column)),
);

/** The fields of a line: what an admin may set, and for a new account the time of the sign-up. */
const accountLine = changeableFields
  .extend({
    ...Object.fromEntries([...IGNORED].map((column) => [column, z.unknown().optional()])),
    email: fields.email,
    createdAt: creationTime.nullish(),
  })
  .transform((line) => Object.fromEntries(Object.entries(line).filter(([field]) => !IGNORED.has(field))));

/** The fields of a line, each of them valid by itself. */
type Fields = Omit<ImportLine['values'], 'email'> & {
  readonly email: string;
  readonly createdAt?: string | null | undefined;
};

/** Checks the content of a line by the rules of the API. */
export function checkLine(number: number, content: unknown, rules: PreferenceRules): ImportLine | WrongLine {
  let given = plainFieldsOf(content);
  if (given === undefined) {
    const result = fieldsBySchema(content);
    if (!result.success) return { number, faults: errorsOf(result.error) };
    given = result.data;
  }
  const { email: typed, preferences, createdAt, ...values } = given;
  const faults: InputError[] = [];
  let email = '';
  try {
    email = acceptEmail(typed);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    faults.push({ path: 'email', message: error.message });
  }
  try {
    const checked = preferences === undefined ? undefined : checkPreferences(preferences, rules);
    if (faults.length === 0) return { number, email, createdAt, values: { ...values, preferences: checked } };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    faults.push(...(error.errors ?? []));
  }
  return { number, faults };
}

/** The fields of a line by the schema, with its faults. */
export function fieldsBySchema(content: unknown): z.ZodSafeParseResult<Fields> {
  return accountLine.safeParse(content) as z.ZodSafeParseResult<Fields>;
}

/** What a value of a field becomes where it needs no schema to be seen to be valid; `undefined` for any other. */
type Plain = (value: unknown) => unknown;

const oneOf = (allowed: readonly string[]): Plain => {
  const known = new Set<unknown>(allowed);
  return (value) => (known.has(value) ? value : undefined);
};

const PLAIN: ReadonlyMap<string, Plain> = new Map<string, Plain>([
  ['email', (value) => (typeof value === 'string' ? value : undefined)],
  [
    'name',
    (value) => (value === null || (typeof value === 'string' && isPlainName(value)) ? value : undefined),
  ],
  ['role', oneOf(ROLES)],
  ['roleUntil', (value) => (value === null ? value : undefined)],
  ['status', oneOf(STATUSES)],
  ['storageMode', oneOf(STORAGE_MODES)],
  ['preferences', (value) => (isObject(value) ? value : undefined)],
  [
    'createdAt',
    (value) => (typeof value === 'string' ? creationTimeOf(value) : value === null ? value : undefined),
  ],
]);

/**
 * The fields of a line that needs no schema to be seen to be valid, which most lines do not: the schema takes many times as long.
 * `undefined` for any other line, whose faults the schema names.
 */
export function plainFieldsOf(content: unknown): Fields | undefined {
  if (!isObject(content) || content['email'] === undefined) return undefined;
  const found: Record<string, unknown> = {};
  for (const field of Object.keys(content)) {
    if (IGNORED.has(field)) continue;
    const value = PLAIN.get(field)?.(content[field]);
    if (value === undefined) return undefined;
    found[field] = value;
  }
  return found as unknown as Fields;
}
