import { join } from 'node:path';
import { Migrator } from '@mikro-orm/migrations';
import { defineConfig, type Options } from '@mikro-orm/postgresql';
import { settingsOrExit } from './config/exit.ts';
import type { Settings } from './config/settings.ts';
import {
  clientConfig,
  type DatabaseSettings,
  type Passage,
  reachDatabase,
} from './src/database/connection.ts';
import { MigrationsOnly } from './src/database/migrations-only.ts';
import { ServiceToken } from './src/domain/service-token.ts';
import { User } from './src/domain/user.ts';
import { WebhookSchema } from './src/domain/webhook.ts';
import { HistoryRecorder } from './src/store/history-recorder.ts';
import { LastAdminGuard } from './src/store/last-admin-guard.ts';
import { ChangeSchema } from './src/store/tables/change.ts';
import { ChangeFieldSchema } from './src/store/tables/change-field.ts';
import { FeedShiftSchema } from './src/store/tables/feed-shift.ts';
import { RefusedSignInSchema } from './src/store/tables/refused-sign-in.ts';

/**
 * What the ORM is told, wherever it runs: in the server, in the tests, and under `npx mikro-orm`. With 0 for
 * `eraseAfterDays`, the history of an account that is deleted is erased in the same transaction.
 */
export function ormOptions(
  database: DatabaseSettings,
  passage: Passage = 'direct',
  { eraseAfterDays }: Partial<Settings['history']> = {},
): Options {
  const driverOptions = clientConfig(database, passage);
  return defineConfig({
    entities: [
      User,
      ChangeSchema,
      ChangeFieldSchema,
      FeedShiftSchema,
      ServiceToken,
      RefusedSignInSchema,
      WebhookSchema,
    ],
    extensions: [MigrationsOnly, Migrator],
    // In this order: what an author may not do at all is refused before what would leave no admin.
    subscribers: [new HistoryRecorder({ eraseAtOnce: eraseAfterDays === 0 }), new LastAdminGuard()],
    dbName: driverOptions.database,
    driverOptions,
    pool: { min: 0, max: database.poolMax },
    ensureDatabase: false,
    // Left to itself, a query would first flush what has been changed so far, past the one flush of its unit of work.
    flushMode: 'commit',
    // One statement for many rows compares their versions before it and not in it, and could undo what came between.
    useBatchUpdates: false,
    // Rows that are no entities: `src/store/rate-limits.ts` has to do with them.
    schemaGenerator: { skipTables: ['rate_limits'] },
    migrations: {
      // This file is bundled into dist/server.js, and the migrations beside it, so one path serves both.
      path: join(import.meta.dirname, 'migrations'),
      glob: 'Migration*.{js,ts}',
      fileName: (timestamp, name) => `Migration${timestamp}${name ? `_${name}` : ''}`,
      // What the migrations add up to: `migration:create` writes the difference to that, whatever the database.
      snapshot: true,
      snapshotName: '.snapshot',
      snapshotOnMigrate: false,
      disableForeignKeys: false,
    },
  });
}

/** The configuration of `npx mikro-orm`: the configured database, or the embedded one for as long as the command runs. */
export default async function cliOptions(): Promise<Options> {
  const settings = settingsOrExit();
  const database = { ...settings.database, url: settings.database.url ?? (await embeddedUrl(settings)) };
  const passage = await reachDatabase(database, {
    deadline: Date.now() + database.connectTimeoutMs,
    signal: new AbortController().signal,
    onSilence: (error) => console.error(`The database does not answer: ${error.message}`),
  });
  const options = ormOptions({ ...database, statementTimeoutMs: 0 }, passage, settings.history);
  // One transaction for each: a migration that must be outside of any would not see what the ones before it did.
  return { ...options, migrations: { ...options.migrations, allOrNothing: false } };
}

async function embeddedUrl({ dataDir, bootTimeoutMs }: Settings): Promise<string> {
  const { openEmbedded } = await import('./src/database/embedded/index.ts');
  const { releaseOnExit } = await import('./src/database/embedded/release-on-exit.ts');
  const silent = { info: () => undefined, warn: () => undefined, error: console.error };
  const embedded = await openEmbedded({
    directory: join(dataDir, 'postgres'),
    timeoutMs: bootTimeoutMs,
    log: silent,
  });
  releaseOnExit(embedded);
  return embedded.url;
}
