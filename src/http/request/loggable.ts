/** What stands for a credential, and for an email address. */
const MASKED = '[redacted]';

/**
 * What looks like a credential, wherever a client has put it: what follows the name of a scheme, JSON Web Tokens, service tokens,
 * the account in a URL, and long hexadecimal numbers, but no UUIDs and trace ids.
 */
const CREDENTIALS =
  /\b(?:Bearer|Basic)(?:[\s+:]|%20)+[^\s/]+|eyJ[\w-]+(?:\.[\w-]*)*|\brc_[\w-]{20,}|(?<=\/\/)[^/\s@]*(?=@)|[\da-f]{40,}/gi;

/** JSON Web Tokens and service tokens, which nothing else looks like. */
const TOKEN = /eyJ[\w-]+\.[\w-]|\brc_[\w-]{20,}/;

/** Long enough to be a secret; it is one where it mixes capitals, small letters and digits, as ids and words do not. */
const LONG_RUN = /[\w~+-]{24,}/g;

const EMAIL = /[^\s/@,;()<>]{1,64}(?:@|%40)[^\s/@,;()<>]+/gi;

/** Where the query of a path begins, however it is encoded: a `%25` may hide any of the others. */
const QUERY = /[?#;&=]|%(?:23|25|26|3b|3d|3f)/i;

/** Most texts, which need no more than this look at them: all runs are short. */
const HARMLESS_PATH = /^(?:\/[\w.:-]{0,18})*$/;
const HARMLESS = /^(?:[\w.:;,()+-]{0,18}(?:[ /]|$))*$/;
const TRICKY = /eyj|rc_|bearer|basic|\/\//i;

/** The most characters of a text of a client in the log. */
const MAX_LENGTH = 200;

/** A text that a client made up, fit for the log: short, printable ASCII, and without what looks like a credential. */
export function loggable(text: string, maxLength = MAX_LENGTH): string {
  if (text.length <= maxLength && HARMLESS.test(text) && !TRICKY.test(text)) return text;
  return cut(masked(text), maxLength);
}

/** The path of a request, fit for the log: as {@link loggable}, and without a query or an email address. */
export function loggablePath(path: string): string {
  if (path.length <= MAX_LENGTH && HARMLESS_PATH.test(path) && !TRICKY.test(path)) return path;
  const query = path.search(QUERY);
  const [bare, rest] = query < 0 ? [path, ''] : [path.slice(0, query), '...'];
  return cut(masked(bare).replace(EMAIL, MASKED), MAX_LENGTH) + rest;
}

/** Whether a text of a client has a token in it. */
export function hasToken(text: string): boolean {
  return TOKEN.test(text);
}

function masked(text: string): string {
  // More than is kept, so that what is cut off cannot make a token look like none; and not all of it, which may be long.
  return text
    .slice(0, 4 * MAX_LENGTH)
    .replace(CREDENTIALS, MASKED)
    .replace(LONG_RUN, (run) => (/[A-Z]/.test(run) && /[a-z]/.test(run) && /\d/.test(run) ? MASKED : run));
}

function cut(text: string, maxLength: number): string {
  const printable = text.slice(0, maxLength).replace(/[^\x20-\x7e]/g, '?');
  return text.length > maxLength ? `${printable}...` : printable;
}
