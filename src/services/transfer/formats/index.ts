import { csv } from './csv.ts';
import { ndjson } from './ndjson.ts';

export type { Format, Line } from './format.ts';

/** All formats that accounts come and go in; the first is the one that is meant where nothing is said. */
export const FORMATS = [ndjson, csv] as const;
