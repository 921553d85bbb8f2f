import type { Store } from '../boot/open-store.ts';
import {
  duplicateLines,
  FIRST_MIGRATION,
  mergeDuplicates,
  problemLines,
  type Survey,
  survey,
} from '../database/adoption/index.ts';
import { table } from './table.ts';

/** What the command has found or done, for programs and for people. */
export interface Adoption {
  readonly result: unknown;
  readonly text: string;
  /** Whether nothing is in the way of the adoption. */
  readonly isAdoptable: boolean;
}

/**
 * Shows what the first start would make of a table `users` that another service has filled, and changes nothing. `pending` are the
 * migrations that the database lacks. With `merge`, merges the accounts that have one email, in one transaction. Throws
 * `CannotAdopt` where they cannot be merged.
 */
export async function adoption(
  store: Store,
  { pending, merge }: { pending: readonly string[]; merge: boolean },
): Promise<Adoption> {
  if (!pending.includes(FIRST_MIGRATION)) return nothing("The table users is Rollcall's already.");
  return store.orm.em.fork().transactional(async (em) => {
    if (merge) {
      const merges = await mergeDuplicates(em);
      if (merges === undefined) return nothing(NO_TABLE);
      if (merges.length === 0)
        return { result: { merges }, isAdoptable: true, text: 'No email belongs to several accounts.' };
      const rows = merges.map((each) => ({ ...each, removed: each.removed.join(', ') }));
      return {
        result: { merges },
        isAdoptable: true,
        text: table(['email', 'kept', 'removed', 'repointed'], rows),
      };
    }
    const found = await survey(em);
    if (found === undefined) return nothing(NO_TABLE);
    const { accounts, renamedEmails, barred, problems, duplicates, steps } = found;
    const changes = [
      ...steps.filter(({ isDetail }) => !isDetail).flatMap(({ says }) => says.split('\n')),
      ...(barred > 0
        ? [`suspend ${barred} accounts that may not sign in, according to ${found.barringColumns.join(', ')}`]
        : []),
    ];
    return {
      result: { accounts, renamedEmails, suspended: barred, problems, duplicates, changes },
      text: describe(found, changes),
      isAdoptable: problems.length + duplicates.length === 0,
    };
  });
}

const NO_TABLE = 'There is no table users; the first start creates it.';

function nothing(text: string): Adoption {
  return { result: { message: text }, text, isAdoptable: true };
}

function describe({ accounts, renamedEmails, problems, duplicates }: Survey, changes: string[]): string {
  const lines = [`accounts: ${accounts}, emails to normalize: ${renamedEmails}`];
  if (problems.length > 0) lines.push('', 'Problems, to be solved first:', ...problemLines(problems));
  if (duplicates.length > 0)
    lines.push('', 'Emails of several accounts, once normalized:', ...duplicateLines(duplicates));
  if (changes.length > 0) {
    const isReady = duplicates.length === 0;
    const heading = isReady ? 'The first start will:' : 'After that, the first start will:';
    lines.push('', heading, ...changes.map((says) => `  ${says}`));
  }
  return lines.join('\n');
}
