import { AUTHJS_COOKIES } from './authjs-session.ts';
import type { KeyRing } from './key-ring.ts';
import type { Issuer } from './oidc.ts';

/** The configured sources of tokens. */
export interface Sources {
  /** The secrets of HS256 tokens and Auth.js sessions. */
  readonly ring: KeyRing;
  /** The names of the Auth.js session cookie. */
  readonly cookieNames: readonly string[];
  /** The claim that holds the email in tokens made with the secrets. */
  readonly emailClaim: string;
  /** Without duplicate names. */
  readonly issuers: readonly Issuer[];
}

/** The settings of {@link Sources}: one issuer on its own and further ones in a list. */
export interface SourceSettings {
  readonly cookieName: string | null;
  readonly emailClaim: string;
  readonly issuer: string | null;
  readonly jwksUrl: string | null;
  readonly audience: readonly string[] | null;
  readonly issuers: readonly (Omit<Issuer, 'emailClaim'> & { readonly emailClaim: string | null })[];
}

/** The sources in the settings. Validation of the settings keeps the single issuer out of the list. */
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
