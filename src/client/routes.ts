import type { z } from 'zod';
import type { RefusalCode } from '../domain/refusals.ts';
import type { TypesOf } from '../http/endpoint.ts';
import type { Route } from '../http/endpoints.ts';
import type { problem } from '../http/schemas/problem.ts';
import type { OperationsOf } from './typed-operations.ts';

// What the client knows of the service: types alone, read from the endpoint records. The package has, in place of this file, the
// same types written out (src/http/typescript/), so that it needs neither the records nor their packages.

export type { RefusalCode };

/** Every endpoint by its method and path, with the types of what it takes and answers. */
export type Routes = { [E in Route as `${E['method']} ${E['path']}`]: Sendable<TypesOf<E>> };

/** Every endpoint by its name: `users.list`. */
export type Operations = OperationsOf<Routes>;

/** What a problem says. */
export type ProblemDetails = z.output<typeof problem>;

/** The types of an endpoint, with a query of values that become text. */
type Sendable<Types> = Types extends { readonly query: infer Query }
  ? Omit<Types, 'query'> & { readonly query: { [Name in keyof Query]: SendableValue<Query[Name]> } }
  : Types;

/** Flags may be booleans; what is free text may be a number or a time. */
type SendableValue<Value> = Value extends 'true' | 'false'
  ? Value | boolean
  : Value extends string
    ? string extends Value
      ? string | number | Date
      : Value
    : Value;
