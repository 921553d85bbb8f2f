import convict from 'convict';
import { GIVEN, type GivenSettings, givenSource } from './given.ts';
import { maskUrls } from './mask.ts';
import { ENVIRONMENTS, type Settings, schemaFor, variables } from './schema.ts';
import { defaultSources, lookUp, type Source } from './sources.ts';

export type { Environment, Settings } from './schema.ts';

/**
 * All problems in the settings. The message has one line for each, with its variable and what is required. It never
 * contains the value of a secret.
 */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/** The settings in force and, by variable, the source of every value that is not a default. */
export interface TracedSettings {
  readonly settings: Settings;
  readonly origins: ReadonlyMap<string, string>;
}

/**
 * Reads, validates and freezes the settings. Without `env`, reads the environment of this process and, in development,
 * also `./.env`; the environment wins.
 * @throws {SettingsError} with all problems at once, in the order of the schema.
 */
export function loadSettings(env?: NodeJS.ProcessEnv): Settings {
  return traceSettings(env).settings;
}

/** Like {@link loadSettings} without `env`; what a program gives wins over the rest. */
export function loadSettingsWith(given: GivenSettings): Settings {
  const { source, problems } = givenSource(given);
  const others = defaultSources(source.env['ENVIRONMENT']);
  return trace([source, ...others.sources], [...problems, ...others.problems]).settings;
}

/** Like {@link loadSettings}, and also returns the source of each value. */
export function traceSettings(env?: NodeJS.ProcessEnv): TracedSettings {
  if (env) return trace([{ name: 'environment', env }], []);
  const { sources, problems } = defaultSources();
  return trace(sources, problems);
}

function trace(sources: readonly Source[], problems: readonly string[]): TracedSettings {
  const found = variables.map((variable) => ({ ...variable, ...lookUp(variable, sources) }));
  const texts = Object.fromEntries(found.flatMap(({ env: name, text }) => (text ? [[name, text]] : [])));

  const environment = ENVIRONMENTS.find((known) => known === texts['ENVIRONMENT']) ?? 'development';
  const config = convict<Settings>(schemaFor(environment, texts), { env: texts });
  const invalid = findInvalid(config);
  const variableProblems = found.flatMap(({ env: name, path, from, problem }) => {
    const requirement = invalid.get(path);
    const place = from === GIVEN ? `${path} of ${GIVEN}` : `from ${from}`;
    const origin = from && from !== 'environment' ? ` (${place})` : '';
    return problem ?? (requirement ? `${name}${origin} ${requirement}` : []);
  });
  if (problems.length + variableProblems.length > 0) {
    throw new SettingsError([...problems, ...variableProblems]);
  }

  const settings = deepFreeze(config.getProperties());
  const origins = new Map(found.flatMap(({ env: name, from }) => (from ? [[name, from]] : [])));
  return { settings, origins };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
}

/**
 * The requirement that each invalid setting breaks, by path. Convict reports all of them in one text, a line each:
 * `path: must …: value was "…"`, without the value if the setting is `sensitive`. This function drops the value of a
 * list, because the format already names the invalid items.
 */
function findInvalid(config: convict.Config<Settings>): ReadonlyMap<string, string> {
  try {
    config.validate();
    return new Map();
  } catch (error) {
    const lines = (error as Error).message.split('\n').map((line): [string, string] => {
      const [, path = '', requirement = '', value] =
        /^(\S+): (.*?)(?:: value was (?:\[.*|(.*)))?$/s.exec(line) ?? [];
      return [path, value ? `${requirement}, not ${maskUrls(value)}` : requirement];
    });
    return new Map(lines);
  }
}
