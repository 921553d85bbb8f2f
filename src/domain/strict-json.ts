import { createScanner, type SyntaxKind } from 'jsonc-parser';

// jsonc-parser's `SyntaxKind`: a constant enum, which a file that is compiled by itself cannot import.
const TOKEN = {
  openBrace: 1,
  closeBrace: 2,
  openBracket: 3,
  closeBracket: 4,
  comma: 5,
  string: 10,
  end: 17,
} as const satisfies Record<string, SyntaxKind>;

// Code units.
const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** A name occurs twice in an object of some JSON. */
export class DuplicateName extends Error {
  override readonly name = 'DuplicateName';
  /** The keys that lead to it, joined by dots. */
  readonly path: string;

  constructor(path: string) {
    super('This name must occur once.');
    this.path = path;
  }
}

/** Parses JSON in which no object has a name twice. Throws `SyntaxError` and {@link DuplicateName}. */
export function parseStrictJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  // Reading token by token takes ten times as long.
  const duplicate = namesIn(text) === keysOf(value) ? undefined : findDuplicateName(text);
  if (duplicate !== undefined) throw duplicate;
  return value;
}

/**
 * Finds the first name that occurs twice in an object of this JSON: RFC 8259, section 4, leaves its meaning open, so such JSON
 * is refused. The text must be valid JSON. It reads token by token, so nesting costs no stack.
 */
export function findDuplicateName(text: string): DuplicateName | undefined {
  const scanner = createScanner(text, true);
  /** The open objects and lists, each with the names so far and the current one. */
  const open: { names?: Set<string>; current: string }[] = [];
  let expectsName = false;
  for (let token = scanner.scan(); token !== TOKEN.end; token = scanner.scan()) {
    const inner = open.at(-1);
    switch (token) {
      case TOKEN.openBrace:
        open.push({ names: new Set(), current: '' });
        expectsName = true;
        break;
      case TOKEN.openBracket:
        open.push({ current: '' });
        expectsName = false;
        break;
      case TOKEN.closeBrace:
      case TOKEN.closeBracket:
        open.pop();
        expectsName = false;
        break;
      case TOKEN.comma:
        expectsName = inner?.names !== undefined;
        break;
      case TOKEN.string: {
        if (!expectsName || inner?.names === undefined) break;
        expectsName = false;
        // As JSON.parse reads it: two spellings may be one name.
        inner.current = JSON.parse(
          text.slice(scanner.getTokenOffset(), scanner.getTokenOffset() + scanner.getTokenLength()),
        );
        if (inner.names.has(inner.current)) {
          return new DuplicateName(open.flatMap(({ names, current }) => (names ? [current] : [])).join('.'));
        }
        inner.names.add(inner.current);
        break;
      }
    }
  }
  return undefined;
}

/** How many names the objects of this JSON have, with those that occur again. The text must be valid JSON. */
function namesIn(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === COLON) count++;
    else if (code === QUOTE) at = endOfString(text, at);
  }
  return count;
}

/** Where the string of JSON that begins at `start` has its last quote. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let escapes = end;
    while (text.charCodeAt(escapes - 1) === BACKSLASH) escapes--;
    if ((end - escapes) % 2 === 0) return end;
  }
}

/** How many keys the objects in this value have. */
function keysOf(value: unknown): number {
  let count = 0;
  const pending = [value];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (typeof next !== 'object' || next === null) continue;
    const inner = Object.values(next);
    if (!Array.isArray(next)) count += inner.length;
    for (const each of inner) pending.push(each);
  }
  return count;
}
