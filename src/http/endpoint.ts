import type { EntityManager } from '@mikro-orm/postgresql';
import type { User } from '../domain/user.ts';

/** What a handler is given. It changes entities and returns one; it neither flushes nor knows of HTTP. */
export interface EndpointRequest {
  readonly em: EntityManager;
  readonly body: unknown;
}

/** One endpoint, as data: the router is made of it. */
export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  /** `public`: anyone; `account`: whoever has one. */
  readonly access: 'public' | 'account';
  /** Whether the request brings JSON along. */
  readonly takesBody: boolean;
  /** Does the work, and returns how to show its result once it is committed. */
  readonly run: (request: EndpointRequest & { actor: User | undefined }) => Promise<() => unknown>;
}

interface Description<Access extends Endpoint['access'], Outcome> {
  method: Endpoint['method'];
  path: string;
  access: Access;
  takesBody?: boolean;
  /** Does the work. */
  handle: (
    request: EndpointRequest & { actor: Access extends 'account' ? User : undefined },
  ) => Promise<Outcome> | Outcome;
  /** What leaves: an allow-list, as JSON. */
  view: (outcome: Outcome) => unknown;
}

/** Describes an endpoint; the types see to it that handler and view fit, and that only who asks for an actor has one. */
export function endpoint<Access extends Endpoint['access'], Outcome>(
  description: Description<Access, Outcome>,
): Endpoint {
  const { method, path, access, takesBody = false, handle, view } = description;
  return {
    method,
    path,
    access,
    takesBody,
    run: async (request) => {
      const outcome = await handle(request as Parameters<typeof handle>[0]);
      return () => view(outcome);
    },
  };
}
