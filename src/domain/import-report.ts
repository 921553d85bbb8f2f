/** What is wrong with a line of an import. */
export interface ImportFailure {
  /** Its number in the file, from 1. */
  readonly line: number;
  /** The field; empty for the line as a whole. */
  readonly path: string;
  readonly reason: string;
}

/** What a column of a CSV file is taken for. */
export interface ColumnMeaning {
  /** As the file has it. */
  readonly name: string;
  /** The field that it gives, alone or with others; `null` for none. */
  readonly field: string | null;
}

/** The outcome of an import, in lines. */
export interface ImportReport {
  /** 0 after a dry run and a refusal, which write nothing; so is `updated`. */
  readonly created: number;
  readonly updated: number;
  /** Lines that match the account already: nothing was written, and the version stays. */
  readonly unchanged: number;
  readonly failed: number;
  /** Only after a dry run and a refusal: what the valid lines would have done. */
  readonly wouldCreate?: number;
  readonly wouldUpdate?: number;
  /** Only after a dry run and a refusal of a CSV file: what its first columns are taken for, in their order. */
  readonly columns?: readonly ColumnMeaning[];
  /** The first columns of the file that mean nothing here, by their names. */
  readonly ignoredColumns: readonly string[];
  /** The faults of the first failed lines, in file order. */
  readonly failures: readonly ImportFailure[];
}
