import { z } from 'zod';
import packageJson from '../../../package.json' with { type: 'json' };
import { KEY_STATES, type ProviderKeys } from '../../services/access/provider-keys.ts';
import type { ChangeFeed } from '../../services/feed/change-feed.ts';
import { feedLagSeconds } from '../../services/feed/lag.ts';
import { endpoint } from '../endpoint.ts';
import { openList } from '../schemas/open-list.ts';

/** What the status is read from. */
export interface StatusDeps {
  readonly feed: ChangeFeed;
  readonly providerKeys: Pick<ProviderKeys, 'states'>;
  /** The migrations that the database lacks. */
  readonly pendingMigrations: () => Promise<readonly string[]>;
}

const status = z
  .strictObject({
    version: z.string().meta({ description: 'Of the service.' }),
    startedAt: z.iso.datetime().meta({ description: 'When the process that answers was started.' }),
    pendingMigrations: z.array(z.string()).meta({ description: 'Migrations that the database lacks.' }),
    feed: z.strictObject({
      state: openList(['ok', 'failing']).meta({
        description: '`failing`: the process that answers cannot read it; the log has the reason.',
      }),
      lagSeconds: z.number().min(0).meta({
        description: 'The age of the oldest change that a running transaction holds back; 0 where none is.',
      }),
    }),
    providers: z.array(
      z.strictObject({
        issuer: z.string(),
        state: openList(KEY_STATES).meta({
          description:
            'Whether its keys could be fetched the last time; `unknown` before its first token comes.',
        }),
        at: z.iso
          .datetime()
          .nullable()
          .meta({ description: 'When they were last fetched, or could not be.' }),
      }),
    ),
  })
  .meta({
    id: 'Status',
    examples: [
      {
        version: packageJson.version,
        startedAt: '2026-02-01T08:00:00.000Z',
        pendingMigrations: [],
        feed: { state: 'ok', lagSeconds: 0 },
        providers: [{ issuer: 'https://id.example.com', state: 'ok', at: '2026-02-01T08:30:00.000Z' }],
      },
    ],
  });

/** The status of the service (admins). */
export function statusEndpoints({ feed, providerKeys, pendingMigrations }: StatusDeps) {
  const startedAt = new Date(performance.timeOrigin).toISOString();
  return [
    endpoint({
      method: 'GET',
      path: '/v1/status',
      access: 'admin',
      summary: 'Get the status of the service',
      description: 'For people and dashboards. Probes use `/healthz` and `/readyz`.',
      answer: {
        status: 200,
        description: 'How the process that answers is, and the database. Webhooks have a list of their own.',
        schema: status,
      },
      handle: async ({ unit: { em } }) => ({
        pending: await pendingMigrations(),
        lagSeconds: await feedLagSeconds(em),
      }),
      view: ({ pending, lagSeconds }) => ({
        version: packageJson.version,
        startedAt,
        pendingMigrations: [...pending],
        feed: { state: feed.isFailing ? ('failing' as const) : ('ok' as const), lagSeconds },
        providers: providerKeys.states.map(({ issuer, state, at }) => ({
          issuer,
          state,
          at: at?.toISOString() ?? null,
        })),
      }),
    }),
  ];
}
