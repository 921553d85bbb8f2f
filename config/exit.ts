import { forgottenProduction } from './forgotten-production.ts';
import { nodeProblem } from './node-version.ts';
import { loadSettings, type Settings, SettingsError } from './settings.ts';

/** The exit code of invalid settings: EX_CONFIG of sysexits.h. */
export const EXIT_CONFIG = 78;

/**
 * {@link loadSettings} for a program. If Node.js is too old or settings are invalid, prints every problem on its own
 * line to stderr and exits with status 78. Says there too if `ENVIRONMENT` seems to be forgotten; `isService` is for programs
 * that nobody runs in the container where they develop, other than at a terminal.
 */
export function settingsOrExit({ isService = false } = {}): Settings {
  const tooOld = nodeProblem();
  if (tooOld !== undefined) {
    console.error(tooOld);
    process.exit(EXIT_CONFIG);
  }
  return exitOnSettingsError(loadSettings, { isService });
}

/** Returns what `load` returns. On a {@link SettingsError}, exits like {@link settingsOrExit}, and warns like it. */
export function exitOnSettingsError<T>(load: () => T, { isService = false } = {}): T {
  try {
    const loaded = load();
    // Before anything can fail because of it. Not through a log, which may need what production does not install.
    const forgotten = forgottenProduction(!isService || process.stdout.isTTY);
    if (forgotten !== undefined) console.error(forgotten);
    return loaded;
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    const { length } = error.problems;
    console.error(
      `Rollcall cannot start: ${length} ${length === 1 ? 'problem' : 'problems'} in its settings`,
    );
    console.error(error.message);
    process.exit(EXIT_CONFIG);
  }
}
