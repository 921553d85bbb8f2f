import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

/** The variables of a `.env` file and the problems in it. */
export interface Dotenv {
  readonly env: NodeJS.Dict<string>;
  readonly problems: readonly string[];
}

/**
 * Reads `./.env`; a missing file counts as empty. Problems never quote a value, which may be a secret.
 *
 * Reports malformed lines, a value that a `#` would cut off (a comment has a blank in front), a name that is one typo away from a name in `known`, and an environment other than
 * development, because only development reads the file. Ignores all other names: they belong to other programs.
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
  const problems = [...faultsOfLines(text, known)];
  if ((ENVIRONMENT || NODE_ENV || 'development') !== 'development') {
    problems.push(
      '.env must not select an environment other than development, the only one that reads it: set ENVIRONMENT in the process environment',
    );
  }
  for (const name of Object.keys(env).filter((name) => !known.includes(name))) {
    const intended = known.find((other) => isOneTypoAway(name.toUpperCase(), other));
    if (intended) problems.push(`.env sets ${name}, which is not a setting: rename it to ${intended}`);
  }
  return { env, problems };
}

const NAME = String.raw`[ \t]*(?:export[ \t]+)?(?<name>[A-Za-z_][\w.-]*)[ \t]*=`;
const BLANK = String.raw`[ \t]*(?:#[^\n]*)?`;
const QUOTED = String.raw`[ \t]*(?<quote>["'\x60])(?:(?!\k<quote>)[^])*\k<quote>${BLANK}`;
const BARE = String.raw`(?![ \t]*["'\x60])(?<bare>[^\n]*)`;

/** The faults of the lines that Node's parser silently skips or misreads, or whose value of a `known` name it cuts off. */
function* faultsOfLines(text: string, known: readonly string[]): Generator<string> {
  const line = new RegExp(`(?:${NAME}(?:${QUOTED}|${BARE})|${BLANK}|(?<bad>[^\\n]*))(?:\\n|$)`, 'y');
  for (let at = 0; at < text.length; at = line.lastIndex) {
    const { bad, name = '', bare = '' } = line.exec(text)?.groups ?? {};
    const number = text.slice(0, at).split('\n').length;
    if (bad) yield `.env line ${number} must be NAME=value`;
    // A comment has a blank in front.
    if (known.includes(name) && bare.replace(/[ \t]#.*$/, '').includes('#')) {
      yield `.env line ${number} has a # in the value of ${name}, which would end it there: put the value into quotes`;
    }
  }
}

/** Whether `a` becomes `b` by adding, removing or replacing one character, or by swapping two neighbours. */
function isOneTypoAway(a: string, b: string): boolean {
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const [x, y] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  return (x.length <= 1 && y.length <= 1) || (x.length === 2 && y === `${x[1]}${x[0]}`);
}
