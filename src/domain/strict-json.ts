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

/** A name that an object has twice, with the path of that object's keys. */
export interface DuplicateName {
  readonly path: string;
}

/**
 * Finds the first name that some object of this JSON has twice (RFC 8259, section 4, leaves open what that means, so we
 * take no such text). The text must be valid JSON. Goes token by token, so nesting costs no stack.
 */
export function findDuplicateName(text: string): DuplicateName | undefined {
  const scanner = createScanner(text, true);
  /** The objects and lists that are open, each with the names met so far and the one being read. */
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
        // As JSON.parse reads it: two spellings of one name are one name.
        inner.current = JSON.parse(
          text.slice(scanner.getTokenOffset(), scanner.getTokenOffset() + scanner.getTokenLength()),
        );
        if (inner.names.has(inner.current)) {
          return { path: open.flatMap(({ names, current }) => (names ? [current] : [])).join('.') };
        }
        inner.names.add(inner.current);
        break;
      }
    }
  }
  return undefined;
}
