import type { EntityManager } from '@mikro-orm/postgresql';
import { z } from 'zod';
import { DomainError } from '../../domain/errors.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';
import type { Lifecycle } from '../server/lifecycle.ts';

/** What the health endpoints need to know of the process that they are in. */
export interface HealthDeps {
  readonly lifecycle: Lifecycle;
  /** The migrations that the database still lacks, in one query. */
  readonly pendingMigrations: (em: EntityManager) => Promise<readonly string[]>;
}

/** Whether the process lives, and whether it can serve. */
export function healthEndpoints({ lifecycle, pendingMigrations }: HealthDeps): Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: '/healthz',
      access: 'public',
      summary: 'Does the process live?',
      answer: {
        status: 200,
        description: 'It does.',
        schema: z.strictObject({ status: z.literal('alive') }),
      },
      handle: () => 'alive',
      view: (status) => ({ status }),
    }),
    endpoint({
      method: 'GET',
      path: '/readyz',
      access: 'public',
      summary: 'Can the process serve?',
      answer: {
        status: 200,
        description: 'The database answers, and no migration is pending.',
        schema: z.strictObject({ status: z.literal('ready') }),
      },
      refusals: ['not_ready'],
      async handle({ em }) {
        if (lifecycle.phase !== 'ready') {
          throw new DomainError('not_ready', `The process is ${lifecycle.phase}.`);
        }
        const pending = await pendingMigrations(em);
        if (pending.length > 0) {
          throw new DomainError('not_ready', `Migrations are pending: ${pending.join(', ')}.`);
        }
        return 'ready';
      },
      view: (status) => ({ status }),
    }),
  ];
}
