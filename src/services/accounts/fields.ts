import { z } from 'zod';
import { EMAIL_MAX_LENGTH } from '../../domain/email.ts';
import { isObject, isStorableText } from '../../domain/preferences.ts';
import type { InputError } from '../../domain/refusal.ts';
import { ROLES, STATUSES, STORAGE_MODES } from '../../domain/user.ts';
import { hasStrayInvisible, isVisible } from '../../domain/visible-text.ts';

/** The largest id of an account: that of PostgreSQL's `integer`. */
export const MAX_ID = 2 ** 31 - 1;

/** An account's id, as text. */
export const id = z
  .string()
  .regex(/^[1-9]\d{0,9}$/, 'Must be an id.')
  .refine((digits) => Number(digits) <= MAX_ID, `Must be at most ${MAX_ID}.`)
  .transform(Number)
  .meta({
    override: { type: 'integer', minimum: 1, maximum: MAX_ID },
    description: 'Id.',
    examples: [1],
  });

/** A text of 1 to `maxLength` characters (code points) that PostgreSQL can store. */
export function text(maxLength: number) {
  return z
    .string()
    .refine(
      (given) => given !== '' && [...given].length <= maxLength,
      `Must have 1 to ${maxLength} characters.`,
    )
    .refine(isStorableText, 'Must not contain NUL or half a surrogate pair.')
    .meta({ minLength: 1, maxLength });
}

const MAX_NAME_LENGTH = 255;

/** The name of a person. */
const name = text(MAX_NAME_LENGTH)
  .refine(isVisible, 'Must have a visible character.')
  .refine((given) => !hasStrayInvisible(given), 'Must not contain control or invisible characters.');

/** Whether a name is valid, without the faults; also `false` for some that are valid and have more than 255 code units. */
export function isPlainName(given: string): boolean {
  return (
    given.length <= MAX_NAME_LENGTH && isStorableText(given) && isVisible(given) && !hasStrayInvisible(given)
  );
}

/** A time in the form of the history, in UTC; what is no time is left as it is. */
function inUtc(text: string): string {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? text : time.toISOString();
}

/** The input schemas of an account's fields, wherever they come from; the domain has the last word. */
export const fields = {
  email: z.string().meta({ format: 'email', maxLength: EMAIL_MAX_LENGTH }),
  name: name.nullable(),
  role: z.enum(ROLES).meta({ id: 'Role' }),
  /** Without a clock: whether it may be past is the domain's business. */
  roleUntil: z.iso
    .datetime({ offset: true, error: 'Must be a time with an offset, such as 2026-01-31T12:00:00Z.' })
    // No transform: with one, the document would lose the examples of all bodies that have this field.
    .overwrite(inUtc)
    .refine(
      (iso) => Number.isNaN(Date.parse(iso)) || (iso >= '1970' && iso < '9999'),
      'Must be a time of the years 1970 to 9998.',
    )
    .nullable()
    .meta({
      description: 'When the role of an admin ends by itself; null for never.',
      examples: ['2027-01-31T12:00:00.000Z'],
    }),
  status: z.enum(STATUSES).meta({ id: 'AccountStatus' }),
  storageMode: z.enum(STORAGE_MODES).meta({ id: 'StorageMode' }),
  /** What may be inside is the domain's business. */
  preferences: z.custom<Record<string, unknown>>(isObject, 'Must be an object.').meta({
    id: 'Preferences',
    override: { type: 'object', additionalProperties: true },
    description: "An object of the app's own making.",
    examples: [{ theme: 'dark' }],
  }),
};

/** All fields, each of them optional. */
export const changeableFields = z.strictObject(fields).partial();

/** The fields that everybody may set in their own account, each of them optional. */
export const ownFields = changeableFields.pick({ name: true, storageMode: true, preferences: true });

/** All faults that zod found, each with its path; each unknown `part` (a field, a parameter) by itself. */
export function errorsOf({ issues }: z.ZodError, part = 'field'): InputError[] {
  return issues.flatMap((issue) => {
    const at = issue.path.map(String);
    if (issue.code === 'invalid_value') return { path: at.join('.'), message: oneOf(issue.values) };
    if (issue.code !== 'unrecognized_keys') return { path: at.join('.'), message: issue.message };
    return issue.keys.map((key) => ({
      path: [...at, key].join('.'),
      message: `This ${part} does not exist.`,
    }));
  });
}

const alternatives = new Intl.ListFormat('en', { type: 'disjunction' });

/** What a value must be: `Must be "user" or "admin".` */
function oneOf(values: readonly unknown[]): string {
  return `Must be ${alternatives.format(values.map((value) => (typeof value === 'string' ? `"${value}"` : `${value}`)))}.`;
}
