import type { Format, Line } from './format.ts';
import { parseJson } from './json.ts';
import { linesOf, type RawLine, textOf } from './lines.ts';

/** One JSON object a line (https://github.com/ndjson/ndjson-spec), with our own names of fields. Blank lines are skipped. */
export const ndjson: Format = {
  mediaType: 'application/x-ndjson',
  extension: 'ndjson',
  extensions: ['ndjson', 'jsonl'],
  writer: () => ({ head: '', write: (account) => `${JSON.stringify(account)}\n` }),
  async *read(bytes, charset) {
    for await (const raw of linesOf(bytes, { charset })) {
      const line = lineOf(raw);
      if (line !== undefined) yield line;
    }
  },
};

function lineOf(raw: RawLine): Line | undefined {
  const { number } = raw;
  const result = textOf(raw);
  if ('fault' in result) {
    return { number, faults: [{ path: '', message: result.fault }], isFatal: raw.fault !== undefined };
  }
  if (result.text.trim() === '') return undefined;
  return { number, bytes: raw.bytes?.length ?? 0, ...parseJson(result.text, '') };
}
