import { readFile } from 'node:fs/promises';
import type { ErrorObject } from 'ajv/dist/2020.js';
import type { PreferenceRules, Preferences } from '../../domain/preferences.ts';
import type { InputError } from '../../domain/refusal.ts';
import { type SlowPart, slowParts } from './slow-parts.ts';
import { finishes } from './time-limit.ts';
import { uniqueItems } from './unique-items.ts';

/**
 * Creates the rules for preferences from the settings: a size, and the path of a JSON Schema or `null`. `onSlowPart` is called for
 * each part of the schema that can be slow.
 * Throws {@link InvalidPreferencesSchema}, which names the file, when it cannot be read or is not such a schema.
 */
export async function preferenceRules(
  settings: { maxBytes: number; schema: string | null },
  onSlowPart: (part: SlowPart) => void = () => undefined,
): Promise<PreferenceRules> {
  const { maxBytes, schema } = settings;
  return { maxBytes, ...(schema !== null && { faults: await compilePreferencesSchema(schema, onSlowPart) }) };
}

/** The file at PREFERENCES_SCHEMA cannot be read, or is no such schema: an invalid setting. */
export class InvalidPreferencesSchema extends Error {
  override readonly name = 'InvalidPreferencesSchema';
}

/** Finds the faults of preferences, each with its path. */
type PreferencesCheck = (preferences: Preferences) => readonly InputError[];

/** The most time that a check may take, in milliseconds, where the schema does not bound it itself. */
const MAX_CHECK_MS = 250;

/** A schema may call itself, and try several branches at each level: the time then grows exponentially with the depth. */
const RECURSIVE = /"\$(?:ref|dynamicRef)"/;

/**
 * Compiles the operator's JSON Schema (2020-12) for preferences from the file at `path`. People choose what it is applied to, so
 * its patterns match in linear time, as far as that is possible; the rest is checked with a time limit.
 * Throws {@link InvalidPreferencesSchema}, which names the file, when it cannot be read or is not such a schema.
 */
async function compilePreferencesSchema(
  path: string,
  onSlowPart: (part: SlowPart) => void,
): Promise<PreferencesCheck> {
  // Loaded only for a schema: they take a large part of the start.
  const [{ default: ajv2020 }, { default: formats }, { linearPattern, NotLinear }] = await Promise.all([
    import('ajv/dist/2020.js'),
    import('ajv-formats'),
    import('./linear-pattern.ts'),
  ]);
  const slow = new Map<string, string>();
  const regExp = (pattern: string, flags: string) => {
    try {
      return linearPattern(pattern);
    } catch (error) {
      if (error instanceof NotLinear) slow.set(pattern, error.message);
      return new RegExp(pattern, flags);
    }
  };
  try {
    const text = await readFile(path, 'utf8');
    const schema = JSON.parse(text);
    const compile = () => {
      const ajv = new ajv2020.Ajv2020({
        allErrors: true,
        strict: true,
        code: { regExp: Object.assign(regExp, { code: 'new RegExp' }) },
      });
      return formats.default(ajv.removeKeyword('uniqueItems').addKeyword(uniqueItems)).compile(schema);
    };
    let validate = compile();
    const parts = slowParts(schema, slow);
    parts.forEach(onSlowPart);
    const isBounded = parts.length === 0 && !RECURSIVE.test(text);
    return (preferences) => {
      if (isBounded) {
        validate(preferences);
      } else if (!finishes(() => void validate(preferences), MAX_CHECK_MS)) {
        // What was stopped half-way is not used again.
        validate = compile();
        return [tooSlow];
      }
      return (validate.errors ?? []).map(inputError);
    };
  } catch (error) {
    throw new InvalidPreferencesSchema(`PREFERENCES_SCHEMA: ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

const tooSlow: InputError = { path: 'preferences', message: 'Takes too long to check against the schema.' };

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
