import { AUTHJS_COOKIES } from './authjs-session.ts';
import type { KeyRing } from './key-ring.ts';
import type { Issuer } from './oidc.ts';

/** Whose tokens are taken. */
export interface Sources {
  /** The secrets of the HS256 tokens and of Auth.js's sessions. */
  readonly ring: KeyRing;
  /** The names of Auth.js's session cookie. */
  readonly cookieNames: readonly string[];
  /** The claim that has the email in tokens that are made with the secrets. */
  readonly emailClaim: string;
  /** No two with the same name. */
  readonly issuers: readonly Issuer[];
}

/** What is configured of them: one issuer by itself, and more in a list. */
export interface SourceSettings {
  readonly cookieName: string | null;
  readonly emailClaim: string;
  readonly issuer: string | null;
  readonly jwksUrl: string | null;
  readonly audience: readonly string[] | null;
  readonly issuers: readonly (Omit<Issuer, 'emailClaim'> & { readonly emailClaim: string | null })[];
}

/** The sources that are configured. The one issuer is not among the others: the settings see to that. */
export function sourcesOf(settings: SourceSettings, ring: KeyRing): Sources {
  const { cookieName, emailClaim, issuer, jwksUrl, audience } = settings;
  const single = { issuer, jwksUrl, audience: audience ?? [], emailClaim };
  const listed = settings.issuers.map((one) => ({ ...one, emailClaim: one.emailClaim ?? emailClaim }));
  return {
    ring,
    cookieNames: cookieName === null ? AUTHJS_COOKIES : [cookieName],
    emailClaim,
    issuers: issuer === null && jwksUrl === null ? listed : [single, ...listed],
  };
}
