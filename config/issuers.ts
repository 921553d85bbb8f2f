import { z } from 'zod';
import { accessDomain } from '../src/domain/access.ts';

/** One entry of `AUTH_ISSUERS`. */
export interface ProviderIssuer {
  /** Must equal the `iss` claim exactly. */
  readonly issuer: string;
  /** `null`: taken from the issuer's discovery document. */
  readonly jwksUrl: string | null;
  /** A token's `aud` must contain one of these. Empty only where there are `clients`. */
  readonly audience: readonly string[];
  /** A token without an `aud` must have one of these as its `client_id` or `azp`. */
  readonly clients: readonly string[];
  /** `null`: `AUTH_EMAIL_CLAIM` applies. */
  readonly emailClaims: readonly string[] | null;
  /** Claims of this issuer whose emails people cannot choose. */
  readonly trustedEmailClaims: readonly string[];
  /** In the form of `accessDomain`; empty: any. */
  readonly domains: readonly string[];
}

const SHAPE = '{issuer, audience, jwksUrl?, clients?, emailClaim?, trustedEmailClaims?, domains?}';

const text = z.string().min(1);
/** One item, or a list of them. */
const oneOrMore = <Item extends z.ZodType<string>>(item: Item) =>
  z.union([item.transform((one) => [one]), z.array(item).min(1)]);
const texts = oneOrMore(text);
const none = (): string[] => [];
const domain = text.transform((typed, context) => {
  const name = accessDomain(typed);
  if (name === undefined) context.addIssue('Must be a domain such as example.com or *.example.com.');
  return name ?? '';
});

const issuers = z.array(
  z
    .strictObject({
      issuer: text,
      jwksUrl: text.nullable().default(null),
      audience: texts.optional(),
      clients: texts.default(none),
      emailClaim: texts.nullable().default(null),
      trustedEmailClaims: texts.default(none),
      domains: oneOrMore(domain).default(none),
    })
    .superRefine(({ audience, clients }, context) => {
      if (audience === undefined && clients.length === 0)
        context.addIssue({ code: 'custom', path: ['audience'], message: 'Must be set, unless clients is.' });
    })
    .transform(
      ({ issuer, jwksUrl, audience = [], emailClaim, ...rest }): ProviderIssuer => ({
        issuer,
        jwksUrl,
        audience,
        ...rest,
        emailClaims: emailClaim?.flatMap((list) => list.split(/\s*,\s*/)) ?? null,
      }),
    ),
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
  return `be a JSON array of ${SHAPE}; at "${path.join('.')}": ${message}`;
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
