import { readFileSync } from 'node:fs';
import { readDotenv } from './dotenv.ts';
import { type Variable, variables } from './schema.ts';

/** A set of variables and its name, as in `PORT (from .env)`. Of several, the first that has a variable wins. */
export interface Source {
  readonly name: string;
  readonly env: NodeJS.Dict<string>;
}

/** The text that was given for a variable and where it was found, or why it cannot be had, or nothing. */
export interface Given {
  readonly text?: string;
  readonly from?: string;
  readonly problem?: string;
}

/** The environment of this process and, in development, `./.env`, with what is wrong with that file. */
export function ambientSources(): { sources: Source[]; problems: readonly string[] } {
  const environment: Source = { name: 'environment', env: process.env };
  const { ENVIRONMENT, NODE_ENV } = process.env;
  if ((ENVIRONMENT || NODE_ENV || 'development') !== 'development') {
    return { sources: [environment], problems: [] };
  }
  const known = variables.flatMap(({ env, sensitive }) => (sensitive ? [env, `${env}_FILE`] : env));
  const { env, problems } = readDotenv(known);
  return { sources: [environment, { name: '.env', env }], problems };
}

/** Looks a variable up: by its name, a secret also by `<name>_FILE`, then by its fallback. Empty counts as unset. */
export function lookUp(variable: Variable, sources: readonly Source[]): Given {
  const { env: name, sensitive, fallback } = variable;
  for (const source of sources) {
    const text = source.env[name];
    const path = sensitive && source.env[`${name}_FILE`];
    const second = fallback && source.env[fallback];
    if (text && path) return { problem: `${name} and ${name}_FILE must not both be set` };
    if (text) return { text, from: source.name };
    if (path) return readSecret(`${name}_FILE`, path);
    if (second) return { text: second, from: fallback };
  }
  return {};
}

function readSecret(name: string, path: string): Given {
  // Somebody put the URL itself here, password and all.
  if (path.includes('://')) return { problem: `${name} must be the path of a file` };
  try {
    // Strictly UTF-8: a lenient reading would turn random bytes into so many equal replacement characters.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path)).replace(/\r?\n$/, '');
    return text ? { text, from: `file ${path}` } : { problem: `${name} must not be an empty file: ${path}` };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { problem: `${name} must be a readable text file: ${path} (${code})` };
  }
}
