import { z } from 'zod';
import { refusals } from '../../domain/refusals.ts';
import { endpoint } from '../endpoint.ts';
import type { Lifecycle } from '../server/lifecycle.ts';

/** What the health endpoints need. */
export interface HealthDeps {
  readonly lifecycle: Lifecycle;
  /** The migrations that the database lacks. */
  readonly pendingMigrations: () => Promise<readonly string[]>;
}

/** Liveness and readiness. */
export function healthEndpoints({ lifecycle, pendingMigrations }: HealthDeps) {
  return [
    endpoint({
      method: 'GET',
      path: '/healthz',
      access: 'public',
      isProbe: true,
      summary: 'Check liveness',
      description: "For an orchestrator's liveness probe: it looks at nothing but the process.",
      answer: {
        status: 200,
        description: 'The process is alive.',
        schema: z.strictObject({ status: z.literal('alive') }).meta({ id: 'Liveness' }),
      },
      handle: () => 'alive',
      view: (status) => ({ status }),
    }),
    endpoint({
      method: 'GET',
      path: '/readyz',
      access: 'public',
      isProbe: true,
      summary: 'Check readiness',
      description:
        "For an orchestrator's readiness probe and for load balancers. Not ready while the process starts or stops, without a database, and before its migrations.",
      answer: {
        status: 200,
        description: 'The database answers, and no migration is pending.',
        schema: z.strictObject({ status: z.literal('ready') }).meta({ id: 'Readiness' }),
      },
      refusals: [refusals.notReady],
      async handle() {
        if (lifecycle.phase !== 'ready') {
          throw refusals.notReady(lifecycle.phase);
        }
        const pending = await pendingMigrations();
        if (pending.length > 0) {
          throw refusals.migrationsPending(pending);
        }
        return 'ready';
      },
      view: (status) => ({ status }),
    }),
  ];
}
