import type { Logger } from 'pino';
import { buildInfo } from '../config/build-info.ts';
import { parseDatabaseUrl } from '../config/database-url.ts';
import { EXIT_CONFIG } from '../config/exit.ts';
import type { Settings } from '../config/settings.ts';
import { CannotStart } from './boot/cannot-start.ts';
import { listen, operatorsAddress } from './boot/listen.ts';
import type { Store } from './boot/open-store.ts';
import type { Opened } from './boot/opened.ts';
import { StartProgress } from './boot/start-progress.ts';
import { bounded, DeadlinePassed } from './database/bounded-work.ts';
import type { ConnectionMode } from './database/connection.ts';
import { isLockTimeout, isUnavailable } from './database/driver-errors.ts';
import type { EmbeddedDatabase } from './database/embedded/types.ts';
import { type OpenDatabase, openDatabase } from './database/open-database.ts';
import { DatabaseUnfit } from './database/unfit.ts';
import type { PreferenceRules } from './domain/preferences.ts';
import type { Answers } from './metrics/operators-server.ts';
import { preferenceRules } from './services/accounts/preferences-schema.ts';
import type { Application } from './wiring.ts';

/** How long a start that has no answer waits beyond BOOT_TIMEOUT_MS, in milliseconds: an attempt that fails by then says why. */
const MARGIN_MS = 500;

/** Who starts the service, and where. */
export interface ServiceOptions {
  readonly settings: Settings;
  readonly log: Logger;
  /** Collects what is opened: whoever calls closes it, also after a failure. */
  readonly opened: Opened;
  /** Gives the start up. */
  readonly signal: AbortSignal;
  /** Called with the migrations that another process has to apply, each time they are looked up. */
  readonly onPending: (migrations: readonly string[]) => Promise<void>;
  /** Called once the database is prepared, or cannot be. `onPending` is not called afterwards. */
  readonly onPrepared: () => Promise<void>;
}

/** A service that is ready to take requests, and does no work of its own yet. */
export interface Service {
  readonly application: Application;
  readonly store: Store;
  readonly mode: ConnectionMode;
  /** Whether it has a secret to sign tokens with. */
  readonly canSign: boolean;
  /** The embedded server, if the database is one. */
  readonly embedded: EmbeddedDatabase | undefined;
}

/**
 * Journey one, up to the point where it listens or is mounted: each step awaited, in this order. While the database answers one, the
 * modules of the next are loaded. Throws {@link CannotStart}, and the reason of the signal when it aborts.
 */
export async function openService(options: ServiceOptions): Promise<Service> {
  const { settings, log, opened, signal } = options;
  const deadline = Date.now() + settings.bootTimeoutMs;
  const progress = new StartProgress();
  const operators = Promise.withResolvers<Answers>();
  const closeOperatorsPort =
    settings.metrics.port === null ? undefined : await openOperatorsPort(options, operators.promise);
  const rules = await readRules(options);
  const reaching = begun(reach(options, deadline, progress));
  const [{ openStore }, { prepareDatabase }] = [
    await import('./boot/open-store.ts'),
    await import('./boot/prepare-database.ts'),
  ];
  const metrics =
    settings.metrics.port === null
      ? undefined
      : (await import('./metrics/metrics.ts')).createMetrics(progress, buildInfo?.commit ?? '');
  if (metrics !== undefined) operators.resolve(metrics.answers);
  const { database, mode, embedded } = await reaching;
  progress.begin('preparing the database');
  const { history, replicas, initialAdmins, bootTimeoutMs, migrateOnBoot } = settings;
  const store = await openStore({
    database,
    mode,
    history,
    replicas,
    log,
    observer: metrics?.observer,
    servesRequests: true,
    timesStatements: settings.environment === 'development',
  });
  opened.add('store', store.close);
  const preparing = begun(
    prepareDatabase(store, database, {
      mode,
      initialAdmins,
      log,
      deadline,
      bootTimeoutMs,
      migrateOnBoot,
      signal,
      onWait: (error) => progress.wait(error, !isUnavailable(error)),
      onGranted: () => progress.goOn(),
      async onPending(migrations) {
        progress.waitForMigrations(migrations);
        await options.onPending(migrations);
      },
    }).finally(options.onPrepared),
  );
  const [{ keyRing }, { sourcesOf }, { wireApplication }] = [
    await import('./security/key-ring.ts'),
    await import('./security/sources.ts'),
    await import('./wiring.ts'),
  ];
  await preparing;
  progress.begin('opening the application');

  const sources = sourcesOf(settings.auth, await keyRing(settings.auth, settings.dataDir));
  const observer = metrics?.observer;
  const application = await bounded(store.orm, { database, mode, deadline, signal }, () =>
    wireApplication({ store, database, mode, settings, sources, rules, log, observer }),
  ).catch((error: Error) => {
    if (!(error instanceof DeadlinePassed || isUnavailable(error) || isLockTimeout(error.cause ?? error)))
      throw error;
    throw new CannotStart(`The database cannot serve: ${error.message}`, { cause: error });
  });
  opened.add('application', application.close);
  if (metrics !== undefined) {
    const close = await metrics.show({ store, database, mode, settings, sources, application });
    opened.add('metrics', () => Promise.all([closeOperatorsPort?.(), close()]));
  }
  return { application, store, mode, canSign: sources.ring.length > 0, embedded };
}

/** Opens the port for operators, whose requests wait for the answers. Returns how to close it, which happens at the end anyway. */
async function openOperatorsPort(
  { settings, log, opened }: ServiceOptions,
  answers: Promise<Answers>,
): Promise<() => Promise<void>> {
  const { operatorsServer } = await import('./metrics/operators-server.ts');
  const server = operatorsServer(answers, (err) =>
    log.error({ err }, 'metrics failed, by a fault of this program; report it with this line'),
  );
  const address = await listen(server, operatorsAddress(settings));
  const close = async () => {
    server.close();
    server.closeAllConnections();
  };
  opened.add('port for operators', close);
  log.info({ address }, 'serving metrics');
  return close;
}

/** A step that runs while something else does. Its failure is dealt with where the step is awaited. */
function begun<T>(step: Promise<T>): Promise<T> {
  step.catch(() => undefined);
  return step;
}

async function readRules({ settings, log }: ServiceOptions): Promise<PreferenceRules> {
  try {
    return await preferenceRules(settings.preferences, (slow) =>
      log.warn(slow, 'PREFERENCES_SCHEMA has a part that a hostile text can make slow; rewrite it'),
    );
  } catch (error) {
    throw new CannotStart((error as Error).message, { cause: error, exitCode: EXIT_CONFIG });
  }
}

async function reach(
  { settings, log, opened, signal }: ServiceOptions,
  deadline: number,
  progress: StartProgress,
): Promise<OpenDatabase> {
  const tooLong = AbortSignal.timeout(settings.bootTimeoutMs + MARGIN_MS);
  const found = await openDatabase(settings, {
    log,
    deadline,
    signal: AbortSignal.any([signal, tooLong]),
    onSilence(error) {
      progress.wait(error, false);
      log.warn(
        { reason: error.message },
        'database unavailable; trying again; if this lasts, check DATABASE_URL and the server',
      );
    },
  }).catch((error: Error) => {
    if (error === signal.reason) throw error;
    if (error instanceof DatabaseUnfit) throw new CannotStart(error.message, { exitCode: EXIT_CONFIG });
    if (settings.database.url === null) throw new CannotStart(error.message, { cause: error });
    throw new CannotStart(
      isUnavailable(error) || error === tooLong.reason
        ? `The database did not answer within BOOT_TIMEOUT_MS (${settings.bootTimeoutMs} ms): ${error.message}`
        : `The database refuses the connection, check DATABASE_URL: ${error.message}`,
    );
  });
  const { embedded, database } = found;
  const { unused } = parseDatabaseUrl(database.url);
  if (unused.length > 0)
    log.warn({ parameters: unused }, 'DATABASE_URL has parameters without effect; remove them');
  if (embedded) opened.add('embedded database', () => embedded.release());
  return found;
}
