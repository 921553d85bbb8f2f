import { join } from 'node:path';
import { defineConfig, type Options } from '@mikro-orm/postgresql';
import { settingsOrExit } from './config/exit.ts';
import { type ConnectionMode, clientConfig, type DatabaseSettings } from './src/database/connection.ts';
import { ledgerName } from './src/database/ledger-name.ts';
import { MigrationsOnly } from './src/database/migrations-only.ts';
import { openForCommand } from './src/database/open-database.ts';
import { AccountIdentity } from './src/domain/account-identity.ts';
import { ConsoleSession } from './src/domain/console-session.ts';
import { ServiceToken } from './src/domain/service-token.ts';
import { HistoryRecorder } from './src/store/history-recorder.ts';
import { LastAdminGuard } from './src/store/last-admin-guard.ts';
import { ID_TABLE_NAME, SCHEMA, VIEW_NAME } from './src/store/publication/interface-sql.ts';
import { ChangeSchema } from './src/store/tables/change.ts';
import { ChangeFieldSchema } from './src/store/tables/change-field.ts';
import { ConsoleCodeSchema } from './src/store/tables/console-code.ts';
import { FeedEpochSchema } from './src/store/tables/feed-epoch.ts';
import { FeedShiftSchema } from './src/store/tables/feed-shift.ts';
import { KeptAnswerSchema } from './src/store/tables/kept-answer.ts';
import { RefusedSignInSchema } from './src/store/tables/refused-sign-in.ts';
import { SightingSchema } from './src/store/tables/sighting.ts';
import { User } from './src/store/tables/user.ts';
import { WebhookSchema } from './src/store/tables/webhook.ts';
import { UnitEntityManager } from './src/store/unit.ts';

/** The ORM's options, for the server, the tests and `npx mikro-orm`. The migrator comes with what migrates. */
export function ormOptions(database: DatabaseSettings, mode: ConnectionMode = 'direct'): Options {
  const driverOptions = clientConfig(database, mode);
  return defineConfig({
    entities: [
      User,
      ChangeSchema,
      ChangeFieldSchema,
      FeedShiftSchema,
      FeedEpochSchema,
      KeptAnswerSchema,
      ServiceToken,
      AccountIdentity,
      RefusedSignInSchema,
      ConsoleSession,
      ConsoleCodeSchema,
      SightingSchema,
      WebhookSchema,
    ],
    entityManager: UnitEntityManager,
    extensions: [MigrationsOnly],
    // In this order: what an author may not do at all is refused first.
    subscribers: [new HistoryRecorder(), new LastAdminGuard()],
    dbName: driverOptions.database,
    driverOptions,
    pool: { min: 0, max: database.poolMax },
    ensureDatabase: false,
    // Accessors on each entity, for relations that have two sides and for flushes before queries: there are neither.
    propagationOnPrototype: false,
    // By default a query flushes first what has been changed so far: a unit of work flushes once.
    flushMode: 'commit',
    // A batch update compares versions before the statement and not in it, and could overwrite what came between.
    useBatchUpdates: false,
    // Not entities: `src/store/rate-limits.ts` writes the one table, migrations make functions and triggers, and
    // `src/store/publication/` makes what the app's own tables use, in a schema that can also be ours.
    schemaGenerator: {
      skipTables: ['rate_limits', ID_TABLE_NAME],
      skipViews: [VIEW_NAME],
      ignoreSchema: database.found?.searchPath?.[0] === SCHEMA ? [] : [SCHEMA],
      ignoreRoutines: true,
      ignoreTriggers: true,
    },
    migrations: {
      tableName: ledgerName(database.found?.searchPath?.[0]),
      // This file is bundled into dist/, with the migrations beside it, so that one path serves both.
      path: join(import.meta.dirname, 'migrations'),
      glob: 'Migration*.{js,ts}',
      fileName: (timestamp, name) => `Migration${timestamp}${name ? `_${name}` : ''}`,
      // The sum of the migrations: `migration:create` writes the difference to it, whatever the database says.
      snapshot: true,
      snapshotName: '.snapshot',
      snapshotOnMigrate: false,
      disableForeignKeys: false,
    },
  });
}

/** The configuration of `npx mikro-orm`: the configured database, or the embedded one while the command runs. */
export default async function cliOptions(): Promise<Options> {
  const settings = settingsOrExit();
  const { database, mode } = await openForCommand(settings);
  const limits = { statementTimeoutMs: 0, lockTimeoutMs: settings.bootTimeoutMs };
  const options = ormOptions({ ...database, ...limits }, mode);
  const { RollcallMigrator } = await import('./src/database/migrator.ts');
  return {
    ...options,
    extensions: [...(options.extensions ?? []), RollcallMigrator],
    // A transaction for each: a migration that runs outside of any must see what the ones before it did.
    migrations: { ...options.migrations, allOrNothing: false },
  };
}
