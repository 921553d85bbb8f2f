import type { InputError } from '../../../domain/refusal.ts';
import { findDuplicateName } from '../../../domain/strict-json.ts';

/** Parses JSON in a file. Returns the value, or its faults, under the path of the text. */
export function parseJson(
  text: string,
  path: string,
): { value: unknown } | { faults: readonly InputError[] } {
  try {
    const value: unknown = JSON.parse(text);
    const twice = findDuplicateName(text);
    if (twice === undefined) return { value };
    const at = [path, twice.path].filter((part) => part !== '').join('.');
    return { faults: [{ path: at, message: 'This name must occur once.' }] };
  } catch (error) {
    return { faults: [{ path, message: `This is not JSON: ${(error as Error).message}` }] };
  }
}
