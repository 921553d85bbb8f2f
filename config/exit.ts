import { loadSettings, type Settings, SettingsError } from './settings.ts';

// EX_CONFIG of sysexits.h.
const EXIT_CONFIG = 78;

/** The oldest Node.js that all parts run on: `engines.node` of package.json. */
export const OLDEST_NODE = '22.17';

/** {@link loadSettings} for a command: says on stderr all that is wrong, one problem a line, and exits 78. */
export function settingsOrExit(): Settings {
  const { node } = process.versions;
  if (node.localeCompare(OLDEST_NODE, 'en', { numeric: true }) < 0) {
    console.error(`Rollcall needs Node.js ${OLDEST_NODE} or newer, and this is ${node}`);
    process.exit(EXIT_CONFIG);
  }
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
