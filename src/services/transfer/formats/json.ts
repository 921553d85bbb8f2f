import type { InputError } from '../../../domain/refusal.ts';
import { DuplicateName, parseStrictJson } from '../../../domain/strict-json.ts';

/** Parses JSON in a file. Returns the value, or its faults, under the path of the text. */
export function parseJson(
  text: string,
  path: string,
): { value: unknown } | { faults: readonly InputError[] } {
  try {
    return { value: parseStrictJson(text) };
  } catch (error) {
    const { message } = error as Error;
    if (!(error instanceof DuplicateName))
      return { faults: [{ path, message: `This is not JSON: ${message}` }] };
    const at = [path, error.path].filter((part) => part !== '').join('.');
    return { faults: [{ path: at, message }] };
  }
}
