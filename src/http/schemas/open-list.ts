import { z } from 'zod';

/** How the OpenAPI document calls the known values of an open list: by the extension that generators and oasdiff know. */
export const KNOWN_VALUES = 'x-extensible-enum';

/**
 * A value of an answer, one of a list that may grow within `/v1`. Types have the known values; the OpenAPI document allows any text, since
 * generated clients refuse values that they do not know. A list that callers send is no open list: the service refuses what it does not
 * know.
 */
export function openList<const Value extends string>(values: readonly [Value, ...Value[]]) {
  return z.enum(values).meta({ [KNOWN_VALUES]: [...values] });
}
