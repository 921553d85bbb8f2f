import { readFile } from 'node:fs/promises';
import type { ErrorObject } from 'ajv/dist/2020.js';
import type { PreferenceRules, Preferences } from '../../domain/preferences.ts';
import type { InputError } from '../../domain/refusal.ts';

/**
 * Creates the rules for preferences from the settings: a size, and the path of a JSON Schema or `null`.
 * Throws an error that names the file when it cannot be read or is not such a schema.
 */
export async function preferenceRules(settings: {
  maxBytes: number;
  schema: string | null;
}): Promise<PreferenceRules> {
  const { maxBytes, schema } = settings;
  return { maxBytes, ...(schema !== null && { faults: await compilePreferencesSchema(schema) }) };
}

/** Finds the faults of preferences, each with its path. */
type PreferencesCheck = (preferences: Preferences) => readonly InputError[];

/**
 * Compiles the operator's JSON Schema (2020-12) for preferences from the file at `path`.
 * Throws an error that names the file when it cannot be read or is not such a schema.
 */
async function compilePreferencesSchema(path: string): Promise<PreferencesCheck> {
  // Loaded only for a schema: it takes a large part of the start.
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
    message: message ?? 'Is invalid.',
  };
}

/** Decodes a token of a JSON Pointer (RFC 6901, section 4). */
function unescapePointer(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}
