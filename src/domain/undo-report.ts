import type { Action } from './change.ts';

/** A change that was left as it is, because it cannot be undone. */
export interface SkippedChange {
  readonly id: number;
  readonly userId: number;
  /** The code of the refusal that an undo of this change alone would get. */
  readonly reason: string;
  /** For `changed_since`: the first fields and preference paths that have changed since. */
  readonly fields: readonly string[];
}

/** The outcome of the undo of everything that a request has changed, in changes. */
export interface UndoReport {
  /** 0 after a dry run and a refusal, which write nothing. */
  readonly undone: number;
  /** Only after a dry run and a refusal: what can be undone. */
  readonly wouldUndo?: number;
  readonly skipped: number;
  /** What the undo does, or would do, by the actions of its changes. */
  readonly actions: Readonly<Record<Action, number>>;
  /** The request whose changes are undone. */
  readonly undoneRequestId: string;
  /** The request id that the new changes share: undoing one of them as a whole takes the undo back. */
  readonly requestId: string | null;
  /** The first of the changes that were left. */
  readonly skippedChanges: readonly SkippedChange[];
}
