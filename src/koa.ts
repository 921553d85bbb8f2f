import { forgottenProduction } from '../config/forgotten-production.ts';
import type { GivenSettings } from '../config/given.ts';
import { nodeProblem } from '../config/node-version.ts';
import { loadSettingsWith } from '../config/settings.ts';
import { Opened } from './boot/opened.ts';
import { mount } from './http/server/mount.ts';
import type { Rollcall } from './koa-types.ts';
import { createLog } from './log.ts';
import { openService } from './service.ts';

/**
 * Opens Rollcall for an application of Koa or a server of `node:http`: like a start of the service, with the same settings, but
 * without a port of its own. `given` wins over the environment, and is checked like it.
 *
 * Rejects with a `SettingsError` that names every problem in the settings, and with a `CannotStart` that says what to mend. Nothing of
 * it goes on then.
 */
export async function createRollcall(given: GivenSettings = {}): Promise<Rollcall> {
  const tooOld = nodeProblem();
  if (tooOld !== undefined) throw new Error(tooOld);
  const settings = loadSettingsWith(given);
  const forgotten = given.environment
    ? undefined
    : forgottenProduction(process.stdout.isTTY, { isMounted: true });
  if (forgotten !== undefined) console.error(forgotten);
  const log = await createLog(settings);
  const opened = new Opened();
  try {
    const { application, embedded, mode } = await openService({
      settings,
      log,
      opened,
      signal: new AbortController().signal,
      async onPending() {},
      async onPrepared() {},
    });
    if (embedded) {
      // The program may end without closing.
      const { releaseOnExit } = await import('./database/embedded/release-on-exit.ts');
      const callOff = releaseOnExit(embedded);
      opened.add('release of the embedded database', async () => callOff());
    }
    const { basePath, shutdownTimeoutMs } = settings;
    const { handler, middleware, close } = mount(basePath, application.handler, application.lifecycle);
    application.lifecycle.phase = 'ready';
    application.start();
    log.info({ basePath, connectionMode: mode }, 'ready');
    let closing: Promise<boolean> | undefined;
    return {
      handler,
      middleware,
      close() {
        closing ??= application.drain(shutdownTimeoutMs, close).finally(() => opened.close(log));
        return closing;
      },
    };
  } catch (error) {
    await opened.close(log);
    throw error;
  }
}
