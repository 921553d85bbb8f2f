import { z } from 'zod';

/** One entry of `AUTH_ISSUERS`. */
export interface ProviderIssuer {
  /** As the `iss` claim has it, to the letter. */
  readonly issuer: string;
  /** `null`: the issuer's discovery document names it. */
  readonly jwksUrl: string | null;
  /** One of these must be among a token's `aud`. Never empty. */
  readonly audience: readonly string[];
  /** `null`: the one of `AUTH_EMAIL_CLAIM`. */
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

/** The issuers that a JSON text names, or why it names none, in words that go after "must". */
export function parseIssuers(json: string): ProviderIssuer[] | string {
  let content: unknown;
  try {
    content = JSON.parse(json);
  } catch {
    return 'be JSON';
  }
  const parsed = issuers.safeParse(content);
  if (parsed.success) return parsed.data;
  const [{ path, message } = { path: [], message: '' }] = parsed.error.issues;
  return `be a JSON array of {issuer, audience, jwksUrl?, emailClaim?}; at "${path.join('.')}": ${message}`;
}

/**
 * Whether one may ask this URL for keys: `https`, or `http` where nobody listens in, on this machine or outside of
 * production. It has no user, no fragment and, unless `mayHaveQuery` says so, no query (OpenID Connect Discovery 1.0,
 * section 3).
 */
export function isProviderUrl(
  text: string,
  { httpsOnly, mayHaveQuery = false }: { httpsOnly: boolean; mayHaveQuery?: boolean },
): boolean {
  const url = URL.parse(text);
  if (url === null || /[\s#]/.test(text) || url.username || url.password) return false;
  if (text.includes('?') && !mayHaveQuery) return false;
  const isPrivate = !httpsOnly || /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
  return url.protocol === 'https:' || (url.protocol === 'http:' && isPrivate);
}
