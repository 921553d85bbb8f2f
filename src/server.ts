import { once } from 'node:events';
import type { Server } from 'node:http';
import { flushCompileCache } from 'node:module';
import { constants } from 'node:os';
import type { Logger } from 'pino';
import { settingsOrExit } from '../config/exit.ts';
import { invocationOf } from '../config/invocation.ts';
import { CannotStart } from './boot/cannot-start.ts';
import { checkAddress, listen } from './boot/listen.ts';
import { boundMemory } from './boot/memory.ts';
import { Opened } from './boot/opened.ts';
import { welcomeLink, welcomeOf } from './boot/welcome.ts';
import { refusals } from './domain/refusals.ts';
import { LISTENING } from './http/server/acceptors.ts';
import { createLog } from './log.ts';
import { openService } from './service.ts';
import type { Application } from './wiring.ts';

/** How long closing may take once all requests have ended, in milliseconds. */
const CLOSING_MS = 5_000;

/** How long the process may take to end once all is closed, in milliseconds. */
const LEAVING_MS = 1_000;

/** How long after a signal another one is the same, in milliseconds. */
const SAME_SIGNAL_MS = 500;

/** The signals that end the service: of a process manager, of Ctrl+C, and of a terminal that closes. */
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

const settings = settingsOrExit({ isService: true });
const log = await createLog(settings);
const opened = new Opened();
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
  await opened.close(log);
  log.info('stopped');
  // A connection that is being opened, or a name that is being looked up, would keep the process for seconds.
  setTimeout(() => process.exit(), LEAVING_MS).unref();
}

/** Journey one: the service is opened, listens, and begins its own work. */
async function boot(): Promise<Application> {
  if (settings.port !== 0) await checkAddress(settings);
  const waiting = waitingProbes();
  const { application, store, mode, canSign } = await openService({
    settings,
    log,
    opened,
    signal: stop,
    onPending: waiting.show,
    onPrepared: waiting.close,
  });
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
    const tokenFor = (admin: string) => invocationOf('token', admin);
    console.log(welcomeOf(address + settings.basePath, { ...(email && { email }), canSign, link, tokenFor }));
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
