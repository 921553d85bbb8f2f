import { RE2JS } from 're2js';

/** What a pattern of a JSON Schema does: it tells whether a text contains a match. */
export interface Pattern {
  test(text: string): boolean;
}

/** A pattern that cannot be matched in linear time, such as one with a lookahead or a backreference. */
export class NotLinear extends Error {
  override readonly name = 'NotLinear';
}

/** An escape, a class, the beginning of a group, or any character. */
const TOKENS =
  /\\(?:[pP]\{[^}]*\}|u\{[^}]*\}|(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2})|u[\da-fA-F]{4}|x[\da-fA-F]{2}|c[a-zA-Z]|k<[^>]*>|[\s\S])|\[(?:\\[\s\S]|[^\]\\])*\]|\(\?(?:<[^=!][^>]*>|[\s\S])|[\s\S]/gu;

/** Classes that both engines read alike: plain characters and ranges, `\d`, `\w` and escaped punctuation. */
const PLAIN_CLASS = /^\[\^?(?:[^\\[\]&~]|\\[dDwW^$\\.*+?()[\]{}|/-])+\]$/u;

/**
 * Compiles a pattern of a JSON Schema (ECMA-262 with the flag `u`) for an engine that matches in linear time (RE2), so that no
 * text can make it slow. It matches exactly what JavaScript does.
 * @throws {SyntaxError} if it is not a pattern.
 * @throws {NotLinear} if the engine cannot match it.
 */
export function linearPattern(source: string): Pattern {
  // The one judge of syntax, and a guarantee that the tokens below are all there are.
  new RegExp(source, 'u');
  const translated = source.replace(TOKENS, (token) => translate(token));
  try {
    return RE2JS.compile(translated);
  } catch (error) {
    throw new NotLinear((error as Error).message, { cause: error });
  }
}

function translate(token: string): string {
  const [first = '', second = '', third] = token;
  if (first === '.') return classOf('.');
  if (first === '[') return PLAIN_CLASS.test(token) && token !== '[^]' ? token : classOf(token);
  if (first === '(' && second === '?') {
    if (third === ':') return token;
    // Only backreferences need the names.
    if (third === '<' && token.endsWith('>')) return '(?:';
    throw new NotLinear(`"${token}" needs backtracking`);
  }
  if (first !== '\\') return token;
  if (second === 'k' || /^\\[1-9]/.test(token)) throw new NotLinear('a backreference needs backtracking');
  if ('pPsS'.includes(second)) return classOf(token);
  if ('uxc0'.includes(second)) return literal(token);
  return token;
}

/** The character of an escape: `\0`, `\cA`, `\x41`, `\u0041`, `\u{41}`, or a surrogate pair. */
function literal(token: string): string {
  if (token === '\\0') return hex(0);
  if (token.startsWith('\\c')) return hex(token.charCodeAt(2) % 32);
  const units = token.match(/[\da-fA-F]{2,}|(?<=\{).*(?=\})/g) ?? [];
  const [code = 0, low] = units.map((digits) => Number.parseInt(digits, 16));
  return hex(low === undefined ? code : (String.fromCharCode(code, low).codePointAt(0) as number));
}

const classes = new Map<string, string>();

/**
 * A class as the ranges that JavaScript itself finds in it: the engines differ in what a blank is, in the version of Unicode and
 * in the names of its properties. Takes a tenth of a second, once.
 */
function classOf(token: string): string {
  const known = classes.get(token);
  if (known !== undefined) return known;
  const contains = new RegExp(token, 'u');
  const ranges: string[] = [];
  for (let code = 0, from = -1; code <= 0x110000; code++) {
    const isIn = code <= 0x10ffff && contains.test(String.fromCodePoint(code));
    if (isIn && from < 0) from = code;
    if (isIn || from < 0) continue;
    ranges.push(from === code - 1 ? hex(from) : `${hex(from)}-${hex(code - 1)}`);
    from = -1;
  }
  const found = ranges.length === 0 ? '[^\\x{0}-\\x{10FFFF}]' : `[${ranges.join('')}]`;
  classes.set(token, found);
  return found;
}

function hex(code: number): string {
  return `\\x{${code.toString(16).toUpperCase()}}`;
}
