import { csv } from './csv.ts';
import { ndjson } from './ndjson.ts';

export { NO_VALUE } from './cells.ts';
export { isCharset } from './decoder.ts';
export { type Format, type Line, SEPARATOR_NAMES, type WriteOptions, type Writer } from './format.ts';

/** All formats; the first is the default. */
export const FORMATS = [ndjson, csv] as const;
