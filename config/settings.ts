import convict from 'convict';
import { ENVIRONMENTS, type Settings, schemaFor, variables } from './schema.ts';
import { ambientSources, lookUp } from './sources.ts';

export type { Environment, Settings } from './schema.ts';

/** Every problem found, one a line, each naming its variable and what it wants; never the value of a secret. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/** The settings in force and, by variable, where each that is no default came from. */
export interface TracedSettings {
  readonly settings: Settings;
  readonly origins: ReadonlyMap<string, string>;
}

/**
 * Reads, checks and freezes the settings. Without `env` they come from the environment of this process and, in
 * development, from `./.env`, over which the environment wins.
 * @throws {SettingsError} with all problems at once, in the schema's order.
 */
export function loadSettings(env?: NodeJS.ProcessEnv): Settings {
  return traceSettings(env).settings;
}

/** As {@link loadSettings}, and says where the values came from. */
export function traceSettings(env?: NodeJS.ProcessEnv): TracedSettings {
  const { sources, problems } = env
    ? { sources: [{ name: 'environment', env }], problems: [] }
    : ambientSources();
  const found = variables.map((variable) => ({ ...variable, ...lookUp(variable, sources) }));
  const texts = Object.fromEntries(found.flatMap(({ env: name, text }) => (text ? [[name, text]] : [])));

  const environment = ENVIRONMENTS.find((known) => known === texts['ENVIRONMENT']) ?? 'development';
  const config = convict<Settings>(schemaFor(environment), { env: texts });
  const complaints = complaintsOf(config);
  const wrong = found.flatMap(({ env: name, path, from, problem }) => {
    const complaint = complaints.get(path);
    const origin = from && from !== 'environment' ? ` (from ${from})` : '';
    return problem ?? (complaint ? `${name}${origin} ${complaint}` : []);
  });
  if (problems.length + wrong.length > 0) throw new SettingsError([...problems, ...wrong]);

  const settings = config.getProperties();
  Object.freeze(settings.database);
  Object.freeze(settings.preferences);
  Object.freeze(settings.history);
  Object.freeze(settings.initialAdmins);
  const origins = new Map(found.flatMap(({ env: name, from }) => (from ? [[name, from]] : [])));
  return { settings: Object.freeze(settings), origins };
}

/**
 * What convict finds wrong, by path. It tells in one text, a line each: `path: must …: value was "…"`, with no value
 * for what is `sensitive`. A list's value is dropped here, for its format names the bad ones.
 */
function complaintsOf(config: convict.Config<Settings>): ReadonlyMap<string, string> {
  try {
    config.validate();
    return new Map();
  } catch (error) {
    const lines = (error as Error).message.split('\n').map((line): [string, string] => {
      const [, path = '', wanted = '', value] =
        /^(\S+): (.*?)(?:: value was (?:\[.*|(.*)))?$/s.exec(line) ?? [];
      return [path, value ? `${wanted}, not ${value}` : wanted];
    });
    return new Map(lines);
  }
}
