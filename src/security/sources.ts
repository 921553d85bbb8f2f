import { AUTHJS_COOKIES } from './authjs-session.ts';
import type { EmailRules } from './email-claims.ts';
import type { Issuer } from './oidc.ts';

/** The configured sources of tokens. */
export interface Sources {
  /** The secrets of HMAC-signed tokens and Auth.js sessions, newest first; empty: there are no such tokens. */
  readonly ring: readonly string[];
  /** The names of the Auth.js session cookie. */
  readonly cookieNames: readonly string[];
  /** Where tokens made with the secrets have the email. */
  readonly emails: EmailRules;
  /** Without duplicate names. */
  readonly issuers: readonly Issuer[];
}

/** The settings of {@link Sources}: one issuer on its own and further ones in a list. */
export interface SourceSettings extends Pick<Issuer, 'issuer' | 'jwksUrl' | 'clients'> {
  readonly cookieName: string | null;
  readonly emailClaims: readonly string[];
  /** Of tokens made with the secrets and of the single issuer. */
  readonly trustedEmailClaims: readonly string[];
  readonly audience: readonly string[] | null;
  /** The domains of the single issuer. */
  readonly issuerDomains: readonly string[];
  readonly issuers: readonly ListedIssuer[];
}

/** A further issuer. Without email claims of its own, it has those of the settings; it trusts only its own. */
export interface ListedIssuer extends Pick<Issuer, 'issuer' | 'jwksUrl' | 'audience' | 'clients'> {
  readonly emailClaims: readonly string[] | null;
  readonly trustedEmailClaims: readonly string[];
  readonly domains: readonly string[];
}

/** The sources in the settings. Validation of the settings keeps the single issuer out of the list. */
export function sourcesOf(settings: SourceSettings, ring: readonly string[]): Sources {
  const { cookieName, emailClaims, trustedEmailClaims: trusted, issuer, jwksUrl, audience } = settings;
  const emails = { claims: emailClaims, trusted, domains: [] };
  const single = {
    issuer,
    jwksUrl,
    audience: audience ?? [],
    clients: settings.clients,
    emails: { ...emails, domains: settings.issuerDomains },
  };
  const listed = settings.issuers.map(
    ({ emailClaims: own, trustedEmailClaims, domains, ...one }): Issuer => ({
      ...one,
      emails: { claims: own ?? emailClaims, trusted: trustedEmailClaims, domains },
    }),
  );
  return {
    ring,
    cookieNames: cookieName === null ? AUTHJS_COOKIES : [cookieName],
    emails,
    issuers: issuer === null && jwksUrl === null ? listed : [single, ...listed],
  };
}
