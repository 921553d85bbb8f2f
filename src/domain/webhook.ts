import type { Action, Difference, RecordedChange } from './change.ts';

/** Whom to tell of changes, and of which. */
export interface Webhook {
  /** What its place in the feed is kept under. */
  readonly name: string;
  readonly url: string;
  /** As Standard Webhooks writes them (`whsec_…`). All of them sign. Never empty. */
  readonly secrets: readonly string[];
  /** `null`: any. */
  readonly actions: readonly Action[] | null;
  /** Fields of an account, and paths in its preferences (`preferences.theme`). `null`: any. */
  readonly fields: readonly string[] | null;
}

/**
 * Whether a webhook is to be told of a change: one of its actions, to one of its fields or to what lies in one. A creation
 * and a deletion are changes to every field that the account has or had. Of an erased change it is no longer known which of the
 * preferences it was about: whoever asks for any of them is told.
 */
export function wants(
  { actions, fields }: Pick<Webhook, 'actions' | 'fields'>,
  change: Pick<Difference, 'action' | 'fields'> & Pick<RecordedChange, 'erasedAt'>,
): boolean {
  if (actions !== null && !actions.includes(change.action)) return false;
  const asked = (field: string) =>
    change.erasedAt !== null && field.startsWith('preferences.') ? 'preferences' : field;
  return fields === null || fields.some((field) => change.fields.some((path) => isIn(path, asked(field))));
}

function isIn(path: string, field: string): boolean {
  return path === field || path.startsWith(`${field}.`);
}
