/**
 * How much a page reads, in bytes of values as JSON: no further row once those before have so many. A page has one row at least, and
 * may have fewer than were asked for.
 */
export const PAGE_BYTES = 1024 * 1024;

/** How many characters a byte of JSON is printed as at most: `5e-324` takes twelve bytes, and has 326. SQL alone can write longer numbers. */
const CHARACTERS_A_BYTE = 32;

/**
 * SQL of a column's JSON as text, in a page that is read without being measured, which takes a third less of the time. It is empty instead
 * where a page of `size` such texts would have more than {@link PAGE_BYTES}: whoever finds one that {@link isLeftOut} reads the page
 * once more, {@link withinBytes}. What is stored in a few bytes is not printed twice to know its length.
 */
export function shortText(column: string, size: number): string {
  const limit = Math.floor(PAGE_BYTES / size);
  const isSmall = `pg_column_size(${column}) <= ${Math.floor(limit / CHARACTERS_A_BYTE)} and pg_column_compression(${column}) is null`;
  return `case when ${isSmall} then ${column}::text when octet_length(${column}::text) > ${limit} then '' else ${column}::text end`;
}

/** Whether a text was too long for its page; JSON is never empty. */
export function isLeftOut(text: string | null): boolean {
  return text === '';
}

/**
 * What a measured row has beside its own columns: its bytes, those of the rows before it, and whether the limit allows another one
 * after it.
 */
export interface Measured {
  readonly bytes: number;
  readonly earlier: string;
  readonly isFollowed: true | null;
}

/** How to measure a page. */
export interface Measure {
  /** The order of its rows, by names of its columns. */
  readonly order: string;
  /** The names of the columns that may be long. Measuring prints those that are JSON, so a row is read whole. */
  readonly columns: readonly string[];
  /** Default: {@link PAGE_BYTES}. */
  readonly limit?: number;
}

/** SQL for the rows of `select`, which has a limit, as far as they have room on a page. */
export function withinBytes(select: string, { order, columns, limit = PAGE_BYTES }: Measure): string {
  const bytes = columns.map((column) => `coalesce(octet_length(${column}::text), 0)`).join(' + ');
  return `select * from (
      select *, sum(bytes) over rows_so_far - bytes as earlier, lead(true) over rows_so_far as "isFollowed"
        from (select *, ${bytes} as bytes from (${select}) as page) as weighed
      window rows_so_far as (order by ${order} rows unbounded preceding)
    ) as measured
   where earlier < ${limit}
   order by ${order}`;
}

/** The row itself. */
export function unmeasured<Row extends Measured>(row: Row): Omit<Row, keyof Measured> {
  const { bytes: _, earlier: __, isFollowed: ___, ...own } = row;
  return own;
}

/** Part of a page: `isCut` where it leaves out rows that its limit would have allowed. */
export interface Part<Row> {
  readonly rows: readonly Row[];
  readonly isCut: boolean;
}

/** A part of these rows. */
export function partOf<Row extends Measured>(rows: readonly Row[]): Part<Row> {
  return { rows, isCut: isCutOff(rows) };
}

/** Whether rows that the limit would have allowed are left out. */
export function isCutOff(rows: readonly Measured[]): boolean {
  return rows.at(-1)?.isFollowed === true;
}

/** How many rows the first part of a page has at most: enough for most pages. */
const FIRST_PART = 101;

/**
 * Reads a page in parts, each with up to four times as many rows as the one before, until it is full: measuring a row reads it
 * whole, and of large ones few have room. `readPart` reads so many rows after one, or the first ones.
 */
export async function readInParts<Row extends { readonly bytes: number }>(
  limit: number,
  readPart: (after: Row | undefined, size: number) => Promise<Part<Row>>,
): Promise<Part<Row>> {
  const rows: Row[] = [];
  let bytes = 0;
  for (let size = FIRST_PART; ; size *= 4) {
    const asked = Math.min(size, limit - rows.length);
    const part = await readPart(rows.at(-1), asked);
    rows.push(...part.rows);
    for (const row of part.rows) bytes += row.bytes;
    const isCut = part.isCut || bytes >= PAGE_BYTES;
    if (isCut || part.rows.length < asked || rows.length >= limit) return { rows, isCut };
  }
}
