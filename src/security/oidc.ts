import { jwtVerify } from 'jose';
import { claimedIssuer, claimOptions } from './claims.ts';
import { fetchKeys, withoutQuery } from './provider.ts';
import { remoteKeys } from './remote-keys.ts';
import { asInvalidToken, type TokenSource } from './token.ts';
import type { ProxySettings } from './web-client.ts';

/** The algorithms of OpenID Connect sources. None of them works with a secret. */
export const OIDC_ALGORITHMS: readonly string[] = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'];

/** An OpenID Connect issuer whose tokens Rollcall accepts. */
export interface Issuer {
  /** Must equal the `iss` claim exactly; `null`: any `iss`. */
  readonly issuer: string | null;
  /** `null`: taken from the issuer's discovery document. */
  readonly jwksUrl: string | null;
  /** A token's `aud` must contain one of these. Never empty. */
  readonly audience: readonly string[];
  /** The claim that holds the email. */
  readonly emailClaim: string;
}

/**
 * The source of JSON Web Tokens (RFC 7519) signed by an OpenID Connect issuer with the keys that it publishes. Fetches
 * the keys when the first of its tokens arrives, through the `proxy`. `now` is the clock.
 */
export function oidcSource(
  { issuer, jwksUrl, audience, emailClaim }: Issuer,
  events: { now: () => Date; onChange: () => void; onFailure: (error: Error) => void; proxy?: ProxySettings },
): TokenSource {
  const keys = remoteKeys({ fetchKeys: () => fetchKeys({ issuer, jwksUrl }, events.proxy), ...events });
  return {
    emailClaim,
    issuerOf: (claims) => issuer ?? claimedIssuer(claims, withoutQuery(`${jwksUrl}`)),
    keepFresh: keys.keepFresh,
    async check(token) {
      try {
        const { payload } = await jwtVerify(token, (header) => keys.getKey(header), {
          algorithms: [...OIDC_ALGORITHMS],
          audience: [...audience],
          ...(issuer !== null && { issuer }),
          ...claimOptions(events.now()),
        });
        return payload;
      } catch (error) {
        throw asInvalidToken(error);
      }
    },
  };
}
