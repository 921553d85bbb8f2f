import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

/** What a `.env` file holds, and what is wrong with it. */
export interface Dotenv {
  readonly env: NodeJS.Dict<string>;
  readonly problems: readonly string[];
}

/**
 * Reads `./.env`; a missing one is an empty one. Its problems never quote a value, which may be a secret.
 * A name that is one slip of the finger away from one of `known` is a problem; all others are left to whom they
 * concern. So is an environment other than development, in which the file would not be read.
 */
export function readDotenv(known: readonly string[]): Dotenv {
  let text: string;
  try {
    text = readFileSync('.env', 'utf8')
      .replace(/^\uFEFF/, '')
      .replaceAll('\r\n', '\n');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { env: {}, problems: code === 'ENOENT' ? [] : [`.env must be a readable file (${code})`] };
  }
  const { ENVIRONMENT, NODE_ENV, ...env } = parseEnv(text);
  const problems = malformedLines(text).map((line) => `.env must have NAME=value in line ${line}`);
  if ((ENVIRONMENT || NODE_ENV || 'development') !== 'development') {
    problems.push('.env must leave ENVIRONMENT to the real environment: it is read in development only');
  }
  for (const name of Object.keys(env).filter((name) => !known.includes(name))) {
    const meant = known.find((other) => oneSlipApart(name.toUpperCase(), other));
    if (meant) problems.push(`.env must say ${meant} where it says ${name}`);
  }
  return { env, problems };
}

const NAME = String.raw`[ \t]*(?:export[ \t]+)?[A-Za-z_][\w.-]*[ \t]*=`;
const BLANK = String.raw`[ \t]*(?:#[^\n]*)?`;
const QUOTED = String.raw`[ \t]*(["'\x60])(?:(?!\1)[^])*\1${BLANK}`;
const BARE = String.raw`(?![ \t]*["'\x60])[^\n]*`;

/** The numbers of the lines that Node's parser, which never complains, would skip or read otherwise than meant. */
function malformedLines(text: string): number[] {
  const malformed = [];
  const line = new RegExp(`(?:${NAME}(?:${QUOTED}|${BARE})|${BLANK}|(?<bad>[^\\n]*))(?:\\n|$)`, 'y');
  for (let at = 0; at < text.length; at = line.lastIndex) {
    if (line.exec(text)?.groups?.['bad']) malformed.push(text.slice(0, at).split('\n').length);
  }
  return malformed;
}

/** Whether one sign too many, too few, or wrong, or two swapped, is all that keeps `a` from being `b`. */
function oneSlipApart(a: string, b: string): boolean {
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const [x, y] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  return (x.length <= 1 && y.length <= 1) || (x.length === 2 && y === `${x[1]}${x[0]}`);
}
