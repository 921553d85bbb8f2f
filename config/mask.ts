/** What stands for a hidden value. */
export const MASK = '********';

/**
 * Hides what is secret in the URLs of a text: the user and the password, and the query, in which some providers require an API
 * key.
 */
export function maskUrls(text: string): string {
  // A raw `/` in a password may stand before the `@`: rather too much is hidden than too little.
  return text.replace(/(:\/\/)[^\s"']*@/g, `$1${MASK}@`).replace(/(:\/\/[^\s?"']*\?)[^\s"']+/g, `$1${MASK}`);
}

/** Parameters of a URL whose values are secret. */
const SECRET_NAME = /pass|pwd|secret|token/i;

/**
 * Hides the password of a URL, and the parameters that hold secrets: `postgres://app:********@db/app`. The rest stays as it is
 * written: a URL of PostgreSQL may name several hosts or none, which `URL` does not read.
 */
export function maskPasswords(url: string): string {
  const [, start = '', user = '', rest = ''] =
    /^([a-z][a-z\d+.-]*:\/\/)(?:([^/?#]*)@)?(.*)$/is.exec(url) ?? ([url, '', '', MASK] as const);
  const [place = '', ...queries] = rest.split('?');
  const parameters = queries.join('?').split('&').map(maskParameter).join('&');
  const account = user && `${user.replace(/:.+$/s, `:${MASK}`)}@`;
  return start + account + place + (queries.length > 0 ? `?${parameters}` : '');
}

function maskParameter(parameter: string): string {
  // A name may be percent-encoded too.
  const [[name, value] = ['', '']] = new URLSearchParams(parameter);
  if (!SECRET_NAME.test(name) || value === '') return parameter;
  return parameter.slice(0, parameter.indexOf('=') + 1) + MASK;
}
