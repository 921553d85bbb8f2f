import { loadSettings, type Settings, SettingsError } from './settings.ts';

// EX_CONFIG of sysexits.h.
const EXIT_CONFIG = 78;

/** {@link loadSettings} for a command: says on stderr all that is wrong, one problem a line, and exits 78. */
export function settingsOrExit(): Settings {
  return orExit(loadSettings);
}

/** What `load` returns; a {@link SettingsError} ends the process as {@link settingsOrExit} says. */
export function orExit<T>(load: () => T): T {
  try {
    return load();
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
