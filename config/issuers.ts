import { z } from 'zod';

/** One entry of `AUTH_ISSUERS`. */
export interface ProviderIssuer {
  /** Must equal the `iss` claim exactly. */
  readonly issuer: string;
  /** `null`: taken from the issuer's discovery document. */
  readonly jwksUrl: string | null;
  /** A token's `aud` must contain one of these. Never empty. */
  readonly audience: readonly string[];
  /** `null`: `AUTH_EMAIL_CLAIM` applies. */
  readonly emailClaim: string | null;
}

const text = z.string().min(1);

const issuers = z.array(
  z.strictObject({
    issuer: text,
    jwksUrl: text.nullable().default(null),
    audience: z.union([text.transform((one) => [one]), z.array(text).min(1)]),
    emailClaim: text.nullable().default(null),
  }),
);

/** The issuers in a JSON text, or the requirement that the text breaks, worded to follow "must". */
export function parseIssuers(json: string): ProviderIssuer[] | string {
  let content: unknown;
  try {
    content = JSON.parse(json);
  } catch {
    return 'be valid JSON';
  }
  const parsed = issuers.safeParse(content);
  if (parsed.success) return parsed.data;
  const [{ path, message } = { path: [], message: '' }] = parsed.error.issues;
  return `be a JSON array of {issuer, audience, jwksUrl?, emailClaim?}; at "${path.join('.')}": ${message}`;
}

/**
 * Whether Rollcall may fetch keys from this URL: `https`, or `http` where nobody can eavesdrop (on this machine, or
 * outside production). It has no user, no fragment and, unless `mayHaveQuery`, no query (OpenID Connect Discovery 1.0,
 * section 3).
 */
export function isProviderUrl(
  text: string,
  { httpsOnly, mayHaveQuery = false }: { httpsOnly: boolean; mayHaveQuery?: boolean },
): boolean {
  const url = URL.parse(text);
  if (url === null || /[\s#]/.test(text) || url.username || url.password) return false;
  if (text.includes('?') && !mayHaveQuery) return false;
  const allowsHttp = !httpsOnly || /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
  return url.protocol === 'https:' || (url.protocol === 'http:' && allowsHttp);
}
