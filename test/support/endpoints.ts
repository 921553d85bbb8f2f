import { z } from 'zod';
import type { User } from '../../src/domain/user.ts';
import { type Access, type Endpoint, type EndpointRequest, endpoint } from '../../src/http/endpoint.ts';
import type { SessionDeps } from '../../src/http/endpoints/session.ts';
import { endpoints } from '../../src/http/endpoints.ts';
import { Lifecycle } from '../../src/http/server/lifecycle.ts';
import { cursorCodec } from '../../src/security/cursor.ts';
import { DIRECT } from '../../src/security/web-client.ts';
import { RefusedSignInCounter } from '../../src/services/access/refused-sign-ins.ts';
import type { ChangeFeed } from '../../src/services/feed/change-feed.ts';
import { SECRET } from './app.ts';

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
    answer: { status: 200, description: 'Done.' },
    ...(takesBody && { body: { schema: z.unknown(), types: ['application/json'] } }),
  });
}

/** The route table for its descriptions alone: its handlers do not work. */
export function describedEndpoints(): Endpoint[] {
  return endpoints({
    lifecycle: new Lifecycle(),
    feed: {} as ChangeFeed,
    cursors: cursorCodec(SECRET),
    pendingMigrations: async () => [],
    providerKeys: { states: [] },
    preferenceRules: { maxBytes: 16_384 },
    refusedSignIns: new RefusedSignInCounter(),
    accessPolicy: { policy: 'invited', domains: [] },
    sending: { allowPrivate: false, proxy: DIRECT, timeoutMs: 1 },
    webhooks: [],
    console: {} as SessionDeps,
    readConsoleFiles: async () => new Map(),
    basePath: '',
  });
}
