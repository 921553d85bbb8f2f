/** What is wrong with a line of an import. */
export interface ImportFailure {
  /** Its number in the file, from 1. */
  readonly line: number;
  /** The field; empty for the line as a whole. */
  readonly path: string;
  readonly reason: string;
}

/** The outcome of an import, in lines; for a refused import or a dry run, what the outcome would have been. */
export interface ImportReport {
  readonly created: number;
  readonly updated: number;
  /** Lines that match the account already: nothing was written, and the version stays. */
  readonly unchanged: number;
  readonly failed: number;
  /** The faults of the first failed lines, in file order. */
  readonly failures: readonly ImportFailure[];
}
