import type { Action, Change, Difference } from './change.ts';

/** A webhook: a receiver of changes, and which ones it wants. */
export interface Webhook {
  /** The key under which its position in the feed is stored. */
  readonly name: string;
  readonly url: string;
  /** In the form of Standard Webhooks (`whsec_…`). All of them sign. Never empty. */
  readonly secrets: readonly string[];
  /** `null`: all. */
  readonly actions: readonly Action[] | null;
  /** Fields of an account, and paths in its preferences (`preferences.theme`). `null`: all. */
  readonly fields: readonly string[] | null;
}

/**
 * Whether a webhook wants a change: one of its actions, on one of its fields or inside of one. A creation or a deletion changes
 * every field of the account. An erased change no longer says which preferences it changed: it matches a filter on any.
 */
export function wants(
  { actions, fields }: Pick<Webhook, 'actions' | 'fields'>,
  change: Pick<Difference, 'action' | 'fields'> & Pick<Change, 'erasedAt'>,
): boolean {
  if (actions !== null && !actions.includes(change.action)) return false;
  const asked = (field: string) =>
    change.erasedAt !== null && field.startsWith('preferences.') ? 'preferences' : field;
  return fields === null || fields.some((field) => change.fields.some((path) => isIn(path, asked(field))));
}

function isIn(path: string, field: string): boolean {
  return path === field || path.startsWith(`${field}.`);
}
