import { normalizeEmailPart } from '../../domain/email.ts';
import type { Bind } from '../../store/statements.ts';

/** Three letters or digits in a row, as pg_trgm sees them: a trigram index cannot look for less. */
const HAS_TRIGRAM = /[\p{L}0-9]{3}/u;

/** Whether no index finds the text of a search: accounts are read in the order of the list until the page is full. */
export function isWalk(q: string | undefined): boolean {
  return q !== undefined && !HAS_TRIGRAM.test(q);
}

/**
 * The condition that an email or a name contains `q`.
 *
 * With a trigram in it, PostgreSQL's statistics choose between the trigram indexes, for what is rare, and the list's order,
 * followed until the page is full, for what is common. Without a trigram only the order works: `strpos`, which has no
 * statistics, makes the planner assume that a third of all rows match, where for `like` it might read and sort the whole
 * table. So a short text that hardly any account contains costs a walk along the index, which has a time limit; an index of all
 * pairs of characters would avoid that, but double the time of every import.
 */
export function contains(q: string, bind: Bind): string {
  const inEmail = normalizeEmailPart(q);
  return HAS_TRIGRAM.test(q)
    ? `(email like ${bind(likePattern(inEmail))} or rollcall_fold(name) like ${foldedPattern(bind(q))})`
    : `(strpos(email, ${bind(inEmail)}) > 0 or strpos(rollcall_fold(name), rollcall_fold(${bind(q)})) > 0)`;
}

/** SQL of the pattern for what contains a text in any case and composition. Folding can make signs of a pattern: it comes first. */
function foldedPattern(text: string): string {
  const escaped = ['\\', '%', '_'].reduce(
    (folded, sign) => `replace(${folded}, '${sign}', '\\${sign}')`,
    `rollcall_fold(${text})`,
  );
  return `'%' || ${escaped} || '%'`;
}

function likePattern(text: string): string {
  return `%${text.replace(/[\\%_]/g, '\\$&')}%`;
}
