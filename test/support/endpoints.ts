import { z } from 'zod';
import type { User } from '../../src/domain/user.ts';
import { type Access, type Endpoint, type EndpointRequest, endpoint } from '../../src/http/endpoint.ts';

export { describedEndpoints } from '../../src/http/described-endpoints.ts';

/** The request that the handler of a test endpoint receives. */
export type TestRequest<Actor = User> = EndpointRequest<undefined, Record<string, unknown>, unknown, Actor>;

/** An endpoint for a test, without documentation. */
export function testEndpoint<A extends Access, Outcome>(description: {
  method: 'GET' | 'POST';
  path: string;
  access: A;
  takesBody?: boolean;
  handle: (
    request: TestRequest<A extends 'public' ? undefined : A extends 'account' ? User : User | undefined>,
  ) => Promise<Outcome> | Outcome;
  view: (outcome: Outcome) => unknown;
}): Endpoint {
  const { takesBody = false, ...rest } = description;
  return endpoint<A, 'GET' | 'POST', string, Outcome, z.ZodUndefined, z.ZodObject, z.ZodType>({
    ...rest,
    summary: 'For a test',
    description: 'For a test.',
    answer: { status: 200, description: 'Done.' },
    ...(takesBody && { body: { schema: z.unknown(), types: ['application/json'] } }),
  });
}
