import { readFile } from 'node:fs/promises';
import type { ErrorObject } from 'ajv/dist/2020.js';
import type { InputError } from '../../domain/errors.ts';
import type { PreferenceRules, Preferences } from '../../domain/preferences.ts';

/**
 * What the operator allows, from their settings: a size, and the path of a JSON Schema or `null`.
 * Throws what {@link compilePreferencesSchema} throws.
 */
export async function preferenceRules(settings: {
  maxBytes: number;
  schema: string | null;
}): Promise<PreferenceRules> {
  const { maxBytes, schema } = settings;
  return { maxBytes, ...(schema !== null && { faults: await compilePreferencesSchema(schema) }) };
}

/** What is wrong with some preferences, each fault with its path. */
export type PreferencesCheck = (preferences: Preferences) => readonly InputError[];

/**
 * Compiles the operator's JSON Schema (2020-12) for preferences from the file at `path`.
 * Throws an error that names the file when it cannot be read or is no such schema.
 */
export async function compilePreferencesSchema(path: string): Promise<PreferencesCheck> {
  // Loaded only where there is a schema: it is a large part of what a process needs to start.
  const [{ Ajv2020 }, { default: formats }] = await Promise.all([
    import('ajv/dist/2020.js'),
    import('ajv-formats'),
  ]);
  try {
    const schema = JSON.parse(await readFile(path, 'utf8'));
    const validate = formats.default(new Ajv2020({ allErrors: true, strict: true })).compile(schema);
    return (preferences) => (validate(preferences) ? [] : (validate.errors ?? []).map(inputError));
  } catch (error) {
    throw new Error(`PREFERENCES_SCHEMA: ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function inputError({ instancePath, message, params }: ErrorObject): InputError {
  const keys = instancePath.split('/').slice(1).map(unescapePointer);
  const extra = params['additionalProperty'] ?? params['unevaluatedProperty'];
  return {
    path: ['preferences', ...keys, ...(typeof extra === 'string' ? [extra] : [])].join('.'),
    message: message ?? 'It is not as it must be.',
  };
}

/** A key as it was before it became part of a JSON Pointer (RFC 6901, section 4). */
function unescapePointer(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}
