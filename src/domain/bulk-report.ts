/** The outcome of one change of many accounts, in accounts. */
export interface BulkReport {
  /** 0 after a dry run, which writes nothing. */
  readonly changed: number;
  /** Only after a dry run. */
  readonly wouldChange?: number;
  /** Accounts that were so already: nothing was written, and their versions stay. */
  readonly unchanged: number;
  readonly missing: number;
  /** The ids that no account has. */
  readonly missingIds: readonly number[];
  /** The request id that the changes share: undoing one of them as a whole takes back all. */
  readonly requestId: string | null;
}
