import type { z } from 'zod';
import { DomainError, type InputError } from '../../domain/errors.ts';
import { errorsOf } from '../../services/accounts/fields.ts';
import { DoorError } from '../answer/problem.ts';

/** The path's parameters. Throws `not_found`: a path that cannot be is one where nothing is. */
export function checkParams(schema: z.ZodType | undefined, params: unknown): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(params);
  if (!result.success) throw new DomainError('not_found', 'There is nothing here.');
  return result.data;
}

/** The query's parameters, each given once at the most. Throws `invalid_query`. */
export function checkQuery(schema: z.ZodObject | undefined, search: URLSearchParams): unknown {
  const errors: InputError[] = [];
  const given: Record<string, string> = Object.create(null);
  for (const name of new Set(search.keys())) {
    const [value = '', ...more] = search.getAll(name);
    given[name] = value;
    if (more.length > 0) errors.push({ path: name, message: 'It must be given once.' });
    else if (schema === undefined) errors.push({ path: name, message: 'There is no such parameter.' });
  }
  const result = schema?.safeParse({ ...given });
  if (result?.error) errors.push(...errorsOf(result.error));
  if (errors.length > 0) throw new DoorError('invalid_query', 'The query is not as it must be.', errors);
  return result?.data;
}

/** The body. Throws `invalid_input`. */
export function checkBody(schema: z.ZodType | undefined, body: unknown): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw new DomainError('invalid_input', 'The body is not as it must be.', {
    errors: errorsOf(result.error),
  });
}
