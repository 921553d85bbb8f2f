/** A part of a JSON Schema that a hostile text can make slow. */
export interface SlowPart {
  /** A JSON Pointer (RFC 6901). */
  readonly part: string;
  readonly reason: string;
}

/** Formats of ajv-formats that take more than linear time. */
const SLOW_FORMATS: Readonly<Record<string, string>> = {
  url: 'the format "url" takes quadratic time: use "uri"',
};

/** Finds the slow parts of a schema: slow formats, and these patterns, wherever it uses them, with their reasons. */
export function slowParts(schema: unknown, slowPatterns: ReadonlyMap<string, string>): SlowPart[] {
  const found: SlowPart[] = [];
  const note = (part: string, reason: string | undefined) => {
    if (reason !== undefined) found.push({ part, reason });
  };
  const walk = (value: unknown, pointer: string) => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      const part = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      if (key === 'pattern' && typeof inner === 'string') note(part, slowPatterns.get(inner));
      if (key === 'format' && typeof inner === 'string') note(part, SLOW_FORMATS[inner]);
      if (pointer.endsWith('/patternProperties')) note(part, slowPatterns.get(key));
      walk(inner, part);
    }
  };
  walk(schema, '');
  return found;
}
