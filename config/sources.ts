import { readFileSync } from 'node:fs';
import { readDotenv } from './dotenv.ts';
import { type Variable, variables } from './schema.ts';

/** A named set of variables, as in `PORT (from .env)`. If several sources set a variable, the first one wins. */
export interface Source {
  readonly name: string;
  readonly env: NodeJS.Dict<string>;
  /** The variables that have no value, whatever later sources say. */
  readonly unset?: ReadonlySet<string>;
}

/** The text of a variable and the source it came from; or the problem with it; or neither if the variable is unset. */
export interface Given {
  readonly text?: string;
  readonly from?: string;
  readonly problem?: string;
}

/**
 * The environment of this process and, in development, `./.env`, with the problems in that file. `given` says that it is another
 * environment than the process's own.
 */
export function defaultSources(given?: string): { sources: Source[]; problems: readonly string[] } {
  const environment: Source = { name: 'environment', env: process.env };
  const { ENVIRONMENT, NODE_ENV } = process.env;
  if ((given || ENVIRONMENT || NODE_ENV || 'development') !== 'development') {
    return { sources: [environment], problems: [] };
  }
  const known = variables.flatMap(({ env, mayBeFile, fallback }) => [
    env,
    ...(mayBeFile ? [`${env}_FILE`] : []),
    ...(fallback ? [fallback] : []),
  ]);
  const { env, problems } = readDotenv(known);
  return { sources: [environment, { name: '.env', env }], problems };
}

/** Looks a variable up by its name, then (a secret or a list) by `<name>_FILE`, then by its fallback. Empty counts as unset. */
export function lookUp(variable: Variable, sources: readonly Source[]): Given {
  const { env: name, mayBeFile, fallback } = variable;
  for (const source of sources) {
    if (source.unset?.has(name)) return {};
    const text = source.env[name];
    const path = mayBeFile && source.env[`${name}_FILE`];
    const fallbackText = fallback && source.env[fallback];
    if (text && path) return { problem: `${name} and ${name}_FILE are both set: unset one of them` };
    if (text) return { text, from: source.name };
    if (path) return readValue(name, path);
    if (fallbackText) return { text: fallbackText, from: fallback };
  }
  return {};
}

function readValue(name: string, path: string): Given {
  // A URL here is the secret itself, with its password: the problem must not quote it.
  if (path.includes('://')) {
    return { problem: `${name}_FILE must be the path of a file: put the value itself into ${name}` };
  }
  try {
    // Strict UTF-8: a lenient decoder would turn random bytes into identical replacement characters.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path)).replace(/[\r\n]+$/, '');
    return text
      ? { text, from: `file ${path}` }
      : { problem: `${name}_FILE must not name an empty file: ${path}` };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { problem: `${name}_FILE must name a readable text file: ${path} (${code})` };
  }
}
