/** The most characters of a text: a bulk statement is as long as its values. */
const MAX_LENGTH = 2_000;

/** A value in a statement: a text, with escapes or in dollar quotes, or a number that is no part of a name or a parameter. */
const VALUES =
  /\be'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$([a-z_]\w*)?\$.*?\$\1\$|(?<![\w$."])\d+(?:\.\d+)?\b/gis;

/**
 * The text of a statement without its values, for `db.query.text`: `?` stands for each. The text of a statement with parameters
 * stays as it is, because it is ours.
 */
export function queryText(text: string, isParameterized: boolean): string {
  return (isParameterized ? text : text.replace(VALUES, '?')).trim().slice(0, MAX_LENGTH);
}
