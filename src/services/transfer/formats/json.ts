import type { InputError } from '../../../domain/refusals.ts';
import { findDuplicateName } from '../../../domain/strict-json.ts';

/** The value of a JSON text in a file, or what is wrong with it, under the path at which it stands. */
export function parseJson(
  text: string,
  path: string,
): { value: unknown } | { faults: readonly InputError[] } {
  try {
    const value: unknown = JSON.parse(text);
    const twice = findDuplicateName(text);
    if (twice === undefined) return { value };
    const at = [path, twice.path].filter((part) => part !== '').join('.');
    return { faults: [{ path: at, message: 'This name is there twice.' }] };
  } catch (error) {
    return { faults: [{ path, message: `It is not JSON: ${(error as Error).message}` }] };
  }
}
