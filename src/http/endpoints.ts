import type { EntityManager } from '@mikro-orm/postgresql';
import { DomainError } from '../domain/errors.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import type { Lifecycle } from './lifecycle.ts';
import { accountView } from './views.ts';

/** What the endpoints need to know of the process that they are in. */
export interface EndpointDeps {
  readonly lifecycle: Lifecycle;
  /** The migrations that the database still lacks, in one query. */
  readonly pendingMigrations: (em: EntityManager) => Promise<readonly string[]>;
}

/** The route table. */
export function endpoints({ lifecycle, pendingMigrations }: EndpointDeps): Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: '/healthz',
      access: 'public',
      handle: () => 'alive',
      view: (status) => ({ status }),
    }),
    endpoint({
      method: 'GET',
      path: '/readyz',
      access: 'public',
      async handle({ em }) {
        if (lifecycle.phase !== 'ready')
          throw new DomainError('not_ready', `The process is ${lifecycle.phase}.`);
        const pending = await pendingMigrations(em);
        if (pending.length > 0)
          throw new DomainError('not_ready', `Migrations are pending: ${pending.join(', ')}.`);
        return 'ready';
      },
      view: (status) => ({ status }),
    }),
    endpoint({
      method: 'GET',
      path: '/v1/me',
      access: 'account',
      handle: ({ actor }) => actor,
      view: accountView,
    }),
  ];
}
