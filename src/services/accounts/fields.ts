import { z } from 'zod';
import { EMAIL_MAX_LENGTH } from '../../domain/email.ts';
import type { InputError } from '../../domain/errors.ts';
import { isKeepableText } from '../../domain/preferences.ts';

/** What may come in for an account, field by field, by whatever door; the domain has the last word on it. */
export const id = z
  .string()
  .regex(/^\d{1,10}$/)
  // The largest that PostgreSQL's `integer` can hold.
  .refine((digits) => Number(digits) < 2 ** 31, 'There is no such number.')
  .transform(Number)
  .meta({ description: 'Its number.', examples: ['1'] });
export const email = z.string().meta({ format: 'email', maxLength: EMAIL_MAX_LENGTH });
export const role = z.enum(['user', 'admin']);
export const status = z.enum(['active', 'suspended']);
export const storageMode = z.enum(['local', 'account']);

/** Preferences as they come in: what may be in them is the domain's business. */
export const preferences = z
  .custom<Record<string, unknown>>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'It must be an object.',
  )
  .meta({
    override: { type: 'object', additionalProperties: true },
    description: "An object of the app's own making.",
    examples: [{ theme: 'dark' }],
  });

/** A text of 1 to so many characters (code points) that PostgreSQL can keep. */
export function text(maxLength: number) {
  return z
    .string()
    .refine(
      (given) => given !== '' && [...given].length <= maxLength,
      `It must have 1 to ${maxLength} characters.`,
    )
    .refine(isKeepableText, 'It must have no NUL and no half of a surrogate pair.')
    .meta({ minLength: 1, maxLength });
}

/** A name as it comes in, or none. */
export const name = text(255).nullable();

/** All that is wrong, each fault with its path; of unknown keys, each for itself. */
export function errorsOf({ issues }: z.ZodError): InputError[] {
  return issues.flatMap((issue) => {
    const at = issue.path.map(String);
    if (issue.code !== 'unrecognized_keys') return { path: at.join('.'), message: issue.message };
    return issue.keys.map((key) => ({
      path: [...at, key].join('.'),
      message: 'There is no such field here.',
    }));
  });
}
