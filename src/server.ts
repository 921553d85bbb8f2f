import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { MikroORM } from '@mikro-orm/postgresql';
import type { Logger } from 'pino';
import { settingsOrExit } from '../config/exit.ts';
import type { Settings } from '../config/settings.ts';
import { ormOptions } from '../mikro-orm.config.ts';
import { createApp } from './app.ts';
import { LockHeld } from './database/boot-lock.ts';
import { closeOrm } from './database/close-orm.ts';
import { type DatabaseSettings, type Passage, reachDatabase } from './database/connection.ts';
import { isUnavailable, toDomainError } from './database/driver-errors.ts';
import { ormLog } from './database/orm-log.ts';
import { knownMigrations, migrateUnderLock, schemaState } from './database/schema.ts';
import type { PreferenceRules } from './domain/preferences.ts';
import { User } from './domain/user.ts';
import { endpoints } from './http/endpoints.ts';
import { answerUnreadable } from './http/server/client-error.ts';
import { type GracefulClose, gracefulClose } from './http/server/graceful-close.ts';
import { Lifecycle } from './http/server/lifecycle.ts';
import { createLog } from './log.ts';
import { cursorCodec } from './security/cursor.ts';
import { keyRing } from './security/key-ring.ts';
import { sourcesOf } from './security/sources.ts';
import { tokenVerifier } from './security/verifier.ts';
import { admission } from './services/access/admission.ts';
import { RefusalCounter } from './services/access/refused-sign-ins.ts';
import { seedAdmins } from './services/accounts/admin-seeder.ts';
import { preferenceRules } from './services/accounts/preferences-schema.ts';
import { ChangeFeed } from './services/feed/change-feed.ts';
import { startEraser } from './services/history/eraser.ts';
import { Dispatcher } from './services/webhooks/dispatcher.ts';
import { registerWebhooks } from './services/webhooks/leases.ts';
import { accountLookup } from './store/account-lookup.ts';
import { changeListener } from './store/change-listener.ts';
import { shiftFeed } from './store/feed-shift.ts';
import { rateLimits } from './store/rate-limits.ts';
import { unitsOfWork } from './store/unit-of-work.ts';

/** Something the operator can mend: it is reported in one line, without a stack. */
class CannotStart extends Error {}

/** How long the closing of the rest may take when all requests are through. */
const CLOSING_MS = 5_000;

const settings = settingsOrExit();
const log = await createLog(settings);
const lifecycle = new Lifecycle();
/** What has been opened, with how to close it: the last one first. */
const opened: { readonly name: string; readonly close: () => Promise<unknown> }[] = [];
const stop = stopOnSignal(log);

try {
  const close = await boot();
  if (!stop.aborted) await once(stop, 'abort');
  lifecycle.phase = 'draining';
  const finished = await close(settings.shutdownTimeoutMs);
  if (!finished)
    log.warn({ timeoutMs: settings.shutdownTimeoutMs }, 'requests were still running and have been cut');
} catch (error) {
  // Told to stop while it waited: that is no failure. Whatever else goes wrong meanwhile is.
  if (!(stop.aborted && error === stop.reason)) {
    if (error instanceof CannotStart) log.fatal(error.message);
    else log.fatal({ err: error }, 'cannot start');
    process.exitCode = 1;
  }
} finally {
  for (const { name, close } of opened.reverse()) {
    await close().catch((error: unknown) => log.error({ err: error }, `closing the ${name} failed`));
  }
  log.info('stopped');
}

/** Journey one: each step awaited, in this order. */
async function boot(): Promise<GracefulClose> {
  const deadline = Date.now() + settings.bootTimeoutMs;

  const rules = await rulesOf(settings);
  const database = { ...settings.database, url: settings.database.url ?? (await startEmbedded(settings)) };
  const passage = await reachDatabase(database, {
    deadline,
    signal: stop,
    onSilence: (error) => log.warn({ reason: error.message }, 'the database does not answer; trying again'),
  }).catch((error: Error) => {
    if (error === stop.reason) throw error;
    throw new CannotStart(
      isUnavailable(error)
        ? `The database did not answer within ${settings.bootTimeoutMs} ms: ${error.message}`
        : `The database refuses us: ${error.message}`,
    );
  });

  const known = await updateDatabase({ ...database, statementTimeoutMs: 0 }, passage, deadline);
  const orm = await MikroORM.init({
    ...ormOptions(database, passage, settings.history),
    loggerFactory: () => ormLog(log),
  });
  opened.push({ name: 'ORM', close: () => closeOrm(orm) });

  const feed = new ChangeFeed({
    em: orm.em.fork(),
    listen: changeListener(database, passage, {
      onLost: ({ message }) =>
        log.warn({ reason: message }, 'not told of changes: asking for them every second meanwhile'),
      onRestored: () => log.info('told of changes again'),
    }),
    onError: (error) => log.warn({ err: error }, 'the change feed cannot be read'),
  });
  opened.push({ name: 'change feed', close: () => feed.close() });

  const sources = sourcesOf(settings.auth, await keyRing(settings.auth, settings.dataDir));
  const onProviderFailure = (issuer: string, { message: reason }: Error) =>
    log.warn({ issuer, reason }, 'the identity provider does not tell its keys');
  const inUnit = unitsOfWork(orm);
  const refusals = new RefusalCounter();
  const { hooks, allowPrivate } = settings.webhooks;
  // Before anything can be asked for: a webhook hears of all that is changed once it is there.
  await registerWebhooks(orm.em.fork(), hooks);
  const webhooks = new Dispatcher({ em: orm.em.fork(), hooks, allowPrivate, news: feed, log });

  const app = createApp({
    inUnit,
    log,
    lifecycle,
    verifier: await tokenVerifier(sources, { onProviderFailure }),
    sessionCookies: sources.cookieNames,
    admit: admission({ findAccount: accountLookup(orm, passage), policy: settings.access, refusals, inUnit }),
    endpoints: endpoints({
      lifecycle,
      feed,
      cursors: cursorCodec(...sources.ring),
      preferenceRules: rules,
      accessPolicy: settings.access,
      refusals,
      webhooks: hooks,
      pendingMigrations: async (em) => (await schemaState(em, known)).pending,
    }),
    corsOrigins: settings.corsOrigins,
    trustProxy: settings.trustProxy,
    rateLimits: await rateLimits(settings.rateLimit, orm, passage, log),
    translate: toDomainError,
  });
  const server = createServer(app.callback());
  const close = gracefulClose(server);
  answerUnreadable(server, log);
  const address = await listen(server, settings);
  opened.push({ name: 'eraser', close: startEraser({ inUnit, refusals, log, ...settings.history }) });
  lifecycle.phase = 'ready';
  // Since the process began.
  log.info({ address, passage, bootMs: Math.round(performance.now()) }, 'ready');
  if (settings.environment === 'development') welcome(address, settings.initialAdmins[0]);
  webhooks.start();
  return async (timeoutMs) => {
    const [finished] = await Promise.all([close(timeoutMs), webhooks.stop(timeoutMs)]);
    return finished;
  };
}

async function rulesOf({ preferences }: Settings): Promise<PreferenceRules> {
  try {
    return await preferenceRules(preferences);
  } catch (error) {
    throw new CannotStart((error as Error).message, { cause: error });
  }
}

/**
 * Migrates and seeds, under the boot lock, and checks what the schema is then. Returns the migrations that the code knows.
 * It goes by connections of its own, which are closed again: a migration takes as long as it takes, and the limits of
 * `database` are for requests.
 */
async function updateDatabase(
  database: DatabaseSettings,
  passage: Passage,
  deadline: number,
): Promise<readonly string[]> {
  const orm = await MikroORM.init({ ...ormOptions(database, passage), loggerFactory: () => ormLog(log) });
  try {
    const known = await knownMigrations(orm);
    const onWait = (error: Error) => log.info({ reason: error.message }, 'waiting to migrate');
    const seeded = await migrateUnderLock(orm, { deadline, signal: stop, onWait }, async (em) => {
      if (await shiftFeed(em))
        log.warn('the history is from another cluster: the change feed goes on behind its end');
      const report = await seedAdmins(em, settings.initialAdmins);
      await em.flush();
      return { ...report, admins: await em.count(User, { role: 'admin', status: 'active' }) };
    }).catch((error: Error) => {
      if (!(error instanceof LockHeld)) throw error;
      throw new CannotStart(`${error.message} It has not let go within ${settings.bootTimeoutMs} ms.`);
    });
    const { admins, ...report } = seeded;
    log.info(report, 'admins seeded');
    if (admins === 0) log.warn('there is no active admin: name one in INITIAL_ADMINS and start again');

    const { pending, unknown } = await schemaState(orm.em.fork(), known);
    if (known.length === 0 || pending.length > 0) {
      throw new CannotStart(
        `The migrations are not what the database was brought up to: ${pending.join(', ')}`,
      );
    }
    if (unknown.length > 0) {
      log.warn(
        { migrations: unknown },
        'the database is newer than this code: it has migrations that are unknown here',
      );
    }
    return known;
  } finally {
    await orm.close(true);
  }
}

async function startEmbedded({ dataDir, bootTimeoutMs }: Settings): Promise<string> {
  // Loaded only where it is needed: production has neither the package nor the use for it.
  const { openEmbedded } = await import('./database/embedded/index.ts');
  const embedded = await openEmbedded({
    directory: join(dataDir, 'postgres'),
    timeoutMs: bootTimeoutMs,
    log,
  });
  opened.push({ name: 'embedded database', close: () => embedded.release() });
  return embedded.url;
}

async function listen(server: Server, { host, port }: Settings): Promise<string> {
  server.listen({ host, port });
  await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
    throw new CannotStart(`Cannot listen on HOST ${host}, PORT ${port}: ${error.message}`);
  });
  const bound = server.address() as AddressInfo;
  return `http://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
}

function welcome(address: string, email = 'EMAIL'): void {
  // Legal in an address, and not in a shell: quotes, ampersands, back-ticks.
  const admin = /^[\w.+@-]+$/.test(email) ? email : `'${email.replaceAll("'", `'\\''`)}'`;
  console.log(`
Rollcall answers at   ${address}
A token for an admin  npm run --silent token -- ${admin}
Your first call       curl -H "Authorization: Bearer $(npm run --silent token -- ${admin})" ${address}/v1/me
`);
}

/** Aborts at the first SIGTERM or SIGINT; the second ends the process on the spot. */
function stopOnSignal(log: Logger): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(128 + constants.signals[signal]);
      log.info({ signal }, 'stopping');
      controller.abort(new Error(`stopped by ${signal}`));
      setTimeout(() => {
        log.error('closing took too long');
        process.exit(1);
      }, settings.shutdownTimeoutMs + CLOSING_MS).unref();
    });
  }
  return controller.signal;
}
