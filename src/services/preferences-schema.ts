import { readFileSync } from 'node:fs';
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { InputError } from '../domain/errors.ts';
import type { PreferenceRules, Preferences } from '../domain/preferences.ts';

/**
 * What the operator allows, from their settings: a size, and the path of a JSON Schema or `null`.
 * Throws what {@link compilePreferencesSchema} throws.
 */
export function preferenceRules(settings: { maxBytes: number; schema: string | null }): PreferenceRules {
  const { maxBytes, schema } = settings;
  return { maxBytes, ...(schema !== null && { faults: compilePreferencesSchema(schema) }) };
}

/** What is wrong with some preferences, each fault with its path. */
export type PreferencesCheck = (preferences: Preferences) => readonly InputError[];

/**
 * Compiles the operator's JSON Schema (2020-12) for preferences from the file at `path`.
 * Throws an error that names the file when it cannot be read or is no such schema.
 */
export function compilePreferencesSchema(path: string): PreferencesCheck {
  const validate = (() => {
    try {
      const schema = JSON.parse(readFileSync(path, 'utf8'));
      return formats.default(new Ajv2020({ allErrors: true, strict: true })).compile(schema);
    } catch (error) {
      throw new Error(`PREFERENCES_SCHEMA: ${path}: ${(error as Error).message}`, { cause: error });
    }
  })();
  return (preferences) => (validate(preferences) ? [] : (validate.errors ?? []).map(inputError));
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
