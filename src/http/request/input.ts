import type { z } from 'zod';
import type { InputError } from '../../domain/refusal.ts';
import { refusals } from '../../domain/refusals.ts';
import { errorsOf } from '../../services/accounts/fields.ts';
import { isIgnoredParameter } from './ignored-parameter.ts';

/** Checks the path's parameters. Throws `not_found`: nothing exists at an impossible path. */
export function checkParams(schema: z.ZodType | undefined, params: unknown): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(params);
  if (!result.success) throw refusals.notFound();
  return result.data;
}

/** The most parameters of a query: no endpoint has a tenth of them. */
const MAX_PARAMETERS = 100;

/**
 * Checks the query's parameters, each given at most once, and at most {@link MAX_PARAMETERS}. A read passes over those that
 * caches and trackers add. Its cost grows no faster than the query: public endpoints read it from anybody. Throws
 * `invalid_query`.
 */
export function checkQuery(schema: z.ZodObject | undefined, querystring: string, isRead: boolean): unknown {
  if (schema === undefined && querystring === '') return undefined;
  const search = new URLSearchParams(querystring);
  if (search.size > MAX_PARAMETERS) {
    throw refusals.invalidQuery([
      { path: '', message: `Must have at most ${MAX_PARAMETERS} parameters, not ${search.size}.` },
    ]);
  }
  const errors: InputError[] = [];
  const given: Record<string, string> = Object.create(null);
  const repeated = new Set<string>();
  for (const [name, value] of search) {
    if (isRead && isIgnoredParameter(name)) continue;
    if (Object.hasOwn(given, name)) repeated.add(name);
    else given[name] = value;
  }
  for (const name of Object.keys(given)) {
    if (repeated.has(name)) errors.push({ path: name, message: 'Must be given once.' });
    else if (schema === undefined) errors.push({ path: name, message: 'This parameter does not exist.' });
  }
  const result = schema?.safeParse({ ...given });
  if (result?.error) errors.push(...errorsOf(result.error, 'parameter'));
  if (errors.length > 0) throw refusals.invalidQuery(errors);
  return result?.data;
}

/** Checks the body. Throws `invalid_input`. */
export function checkBody(schema: z.ZodType | undefined, body: unknown): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw refusals.invalidBody(errorsOf(result.error));
}
