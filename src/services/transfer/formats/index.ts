import { csv } from './csv.ts';
import { ndjson } from './ndjson.ts';

export type { Format, Line } from './format.ts';

/** All formats; the first is the default. */
export const FORMATS = [ndjson, csv] as const;
