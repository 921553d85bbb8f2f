import { once } from 'node:events';
import type { Server } from 'node:http';
import { flushCompileCache } from 'node:module';
import { constants } from 'node:os';
import type { Logger } from 'pino';
import { buildInfo } from '../config/build-info.ts';
import { parseDatabaseUrl } from '../config/database-url.ts';
import { EXIT_CONFIG, settingsOrExit } from '../config/exit.ts';
import { CannotStart } from './boot/cannot-start.ts';
import { checkAddress, listen, operatorsAddress } from './boot/listen.ts';
import { boundMemory } from './boot/memory.ts';
import { StartProgress } from './boot/start-progress.ts';
import { welcomeLink, welcomeOf } from './boot/welcome.ts';
import { bounded, DeadlinePassed } from './database/bounded-work.ts';
import { isLockTimeout, isUnavailable } from './database/driver-errors.ts';
import { type OpenDatabase, openDatabase } from './database/open-database.ts';
import { DatabaseUnfit } from './database/unfit.ts';
import type { PreferenceRules } from './domain/preferences.ts';
import { refusals } from './domain/refusals.ts';
import { LISTENING } from './http/server/acceptors.ts';
import { createLog } from './log.ts';
import type { Answers } from './metrics/operators-server.ts';
import { preferenceRules } from './services/accounts/preferences-schema.ts';
import type { Application } from './wiring.ts';

/** How long closing may take once all requests have ended, in milliseconds. */
const CLOSING_MS = 5_000;

/** How long the process may take to end once all is closed, in milliseconds. */
const LEAVING_MS = 1_000;

/** How long a start that has no answer waits beyond BOOT_TIMEOUT_MS, in milliseconds: an attempt that fails by then says why. */
const MARGIN_MS = 500;

/** How long after a signal another one is the same, in milliseconds. */
const SAME_SIGNAL_MS = 500;

/** The signals that end the service: of a process manager, of Ctrl+C, and of a terminal that closes. */
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

const settings = settingsOrExit({ isService: true });
const log = await createLog(settings);
/** What has been opened, and how to close it, in reverse order. */
const opened: { readonly name: string; readonly close: () => Promise<unknown> }[] = [];
const stop = stopOnSignal(log);

try {
  const { drain } = await boot();
  if (!stop.aborted) await once(stop, 'abort');
  const hasFinished = await drain(settings.shutdownTimeoutMs);
  if (!hasFinished)
    log.warn(
      { timeoutMs: settings.shutdownTimeoutMs },
      'requests still running were cut off; raise SHUTDOWN_TIMEOUT_MS if they need longer',
    );
} catch (error) {
  // Being stopped while waiting is not a failure. Anything else is.
  if (!(stop.aborted && error === stop.reason)) {
    if (error instanceof CannotStart) log.fatal(error.message);
    else log.fatal({ err: error }, 'cannot start, by a fault of this program; report it with this line');
    process.exitCode = error instanceof CannotStart ? error.exitCode : 1;
  }
} finally {
  for (const { name, close } of opened.reverse()) {
    await close().catch((error: unknown) =>
      log.error(
        { err: error, part: name },
        'closing failed, by a fault of this program; report it with this line',
      ),
    );
  }
  log.info('stopped');
  // A connection that is being opened, or a name that is being looked up, would keep the process for seconds.
  setTimeout(() => process.exit(), LEAVING_MS).unref();
}

/** Journey one: each step awaited, in this order. While the database answers one, the modules of the next are loaded. */
async function boot(): Promise<Application> {
  const deadline = Date.now() + settings.bootTimeoutMs;
  const progress = new StartProgress();
  const operators = Promise.withResolvers<Answers>();
  const closeOperatorsPort =
    settings.metrics.port === null ? undefined : await openOperatorsPort(operators.promise);
  if (settings.port !== 0) await checkAddress(settings);
  const rules = await readRules();
  const reaching = begun(reach(deadline, progress));
  const [{ openStore }, { prepareDatabase }] = [
    await import('./boot/open-store.ts'),
    await import('./boot/prepare-database.ts'),
  ];
  const metrics =
    settings.metrics.port === null
      ? undefined
      : (await import('./metrics/metrics.ts')).createMetrics(progress, buildInfo?.commit ?? '');
  if (metrics !== undefined) operators.resolve(metrics.answers);
  const { database, mode } = await reaching;
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
  opened.push({ name: 'store', close: store.close });
  const waiting = waitingProbes();
  const preparing = begun(
    prepareDatabase(store, database, {
      mode,
      initialAdmins,
      log,
      deadline,
      bootTimeoutMs,
      migrateOnBoot,
      signal: stop,
      onWait: (error) => progress.wait(error, !isUnavailable(error)),
      onGranted: () => progress.goOn(),
      async onPending(migrations) {
        progress.waitForMigrations(migrations);
        await waiting.show(migrations);
      },
    }).finally(waiting.close),
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
  const application = await bounded(store.orm, { database, mode, deadline, signal: stop }, () =>
    wireApplication({ store, database, mode, settings, sources, rules, log, observer }),
  ).catch((error: Error) => {
    if (!(error instanceof DeadlinePassed || isUnavailable(error) || isLockTimeout(error))) throw error;
    throw new CannotStart(`The database cannot serve: ${error.message}`, { cause: error });
  });
  opened.push({ name: 'application', close: application.close });
  if (metrics !== undefined) {
    const close = await metrics.show({ store, database, mode, settings, sources, application });
    opened.push({ name: 'metrics', close: () => Promise.all([closeOperatorsPort?.(), close()]) });
  }

  const { server, acceptors } = application;
  // Sockets that share their port do not notice those of another process; two that get here in the same millisecond both serve.
  if (settings.port !== 0) await checkAddress(settings);
  const address = await listen(server, settings, LISTENING);
  await acceptors
    .open()
    .catch(({ message: reason }: Error) =>
      log.warn(
        { reason },
        'fewer sockets accept connections; if crowds of new ones wait, raise the limit of open files',
      ),
    );
  application.lifecycle.phase = 'ready';
  // Milliseconds since the process began.
  log.info({ address, connectionMode: mode, bootMs: Math.round(performance.now()) }, 'ready');
  if (settings.environment === 'development') {
    const [email] = settings.initialAdmins;
    const base = (settings.publicUrl ?? address) + settings.basePath;
    const link = settings.console.enabled ? await welcomeLink(store.inUnit, base, email) : undefined;
    const canSign = sources.ring.length > 0;
    console.log(welcomeOf(address + settings.basePath, { ...(email && { email }), canSign, link }));
  }
  application.start();
  // For the next start. At the end of this one, V8 has forgotten the functions of the boot.
  setImmediate(() => {
    flushCompileCache();
    // Afterwards, because V8's flags are part of the cache's key.
    boundMemory();
  });
  return application;
}

/** Answers probes while the start waits for migrations: a process that does not answer is restarted, and would never get there. */
function waitingProbes() {
  let server: Server | undefined;
  let pending: readonly string[] = [];
  return {
    async show(migrations: readonly string[]) {
      pending = migrations;
      if (server !== undefined) return;
      const { waitingServer } = await import('./http/server/waiting-server.ts');
      server = waitingServer(() => refusals.migrationsPending(pending));
      log.info({ address: await listen(server, settings) }, 'answering probes');
    },
    async close() {
      if (server === undefined) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Opens the port for operators, whose requests wait for the answers. Returns how to close it, which happens at the end anyway. */
async function openOperatorsPort(answers: Promise<Answers>): Promise<() => Promise<void>> {
  const { operatorsServer } = await import('./metrics/operators-server.ts');
  const server = operatorsServer(answers, (err) =>
    log.error({ err }, 'metrics failed, by a fault of this program; report it with this line'),
  );
  const address = await listen(server, operatorsAddress(settings));
  const close = async () => {
    server.close();
    server.closeAllConnections();
  };
  opened.push({ name: 'port for operators', close });
  log.info({ address }, 'serving metrics');
  return close;
}

/** A step that runs while something else does. Its failure is dealt with where the step is awaited. */
function begun<T>(step: Promise<T>): Promise<T> {
  step.catch(() => undefined);
  return step;
}

async function readRules(): Promise<PreferenceRules> {
  try {
    return await preferenceRules(settings.preferences, (slow) =>
      log.warn(slow, 'PREFERENCES_SCHEMA has a part that a hostile text can make slow; rewrite it'),
    );
  } catch (error) {
    throw new CannotStart((error as Error).message, { cause: error, exitCode: EXIT_CONFIG });
  }
}

async function reach(deadline: number, progress: StartProgress): Promise<OpenDatabase> {
  const tooLong = AbortSignal.timeout(settings.bootTimeoutMs + MARGIN_MS);
  const found = await openDatabase(settings, {
    log,
    deadline,
    signal: AbortSignal.any([stop, tooLong]),
    onSilence(error) {
      progress.wait(error, false);
      log.warn(
        { reason: error.message },
        'database unavailable; trying again; if this lasts, check DATABASE_URL and the server',
      );
    },
  }).catch((error: Error) => {
    if (error === stop.reason) throw error;
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
  if (embedded) opened.push({ name: 'embedded database', close: () => embedded.release() });
  return found;
}

/**
 * Aborts at the first signal; a second one ends the process at once, unless it comes with the first: npm passes on a signal that
 * the terminal has sent to its whole process group.
 */
function stopOnSignal(log: Logger): AbortSignal {
  const controller = new AbortController();
  let first = Number.POSITIVE_INFINITY;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (performance.now() - first > SAME_SIGNAL_MS) process.exit(128 + constants.signals[signal]);
      if (controller.signal.aborted) return;
      first = performance.now();
      log.info({ signal }, 'stopping');
      controller.abort(new Error(`stopped by ${signal}`));
      setTimeout(() => {
        log.error('closing took too long; ended without it; if this repeats, check the database');
        process.exit(1);
      }, settings.shutdownTimeoutMs + CLOSING_MS).unref();
    });
  }
  return controller.signal;
}
