import { jwtVerify } from 'jose';
import { claimOptions } from './claims.ts';
import { fetchKeys } from './provider.ts';
import { remoteKeys } from './remote-keys.ts';
import { refusalOf, type TokenSource } from './token.ts';

/** The algorithms of these sources, of which none works with a secret. */
export const OIDC_ALGORITHMS: readonly string[] = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'];

/** An OpenID Connect issuer whose tokens are taken. */
export interface Issuer {
  /** As the `iss` claim has it, to the letter; `null`: that is not looked at. */
  readonly issuer: string | null;
  /** `null`: the issuer's discovery document names it. */
  readonly jwksUrl: string | null;
  /** One of these must be among a token's `aud`. Never empty. */
  readonly audience: readonly string[];
  /** The claim that has the email. */
  readonly emailClaim: string;
}

/**
 * JSON Web Tokens (RFC 7519) of an OpenID Connect issuer, under the keys that it publishes. It is asked for them when the
 * first of its tokens comes. `now` is the clock.
 */
export function oidcSource(
  { issuer, jwksUrl, audience, emailClaim }: Issuer,
  events: { now: () => Date; onChange: () => void; onFailure: (error: Error) => void },
): TokenSource {
  const keys = remoteKeys({ fetchKeys: () => fetchKeys({ issuer, jwksUrl }), ...events });
  return {
    emailClaim,
    keepFresh: keys.keepFresh,
    async check(token) {
      try {
        const { payload } = await jwtVerify(token, (header) => keys.keyFor(header), {
          algorithms: [...OIDC_ALGORITHMS],
          audience: [...audience],
          ...(issuer !== null && { issuer }),
          ...claimOptions(events.now()),
        });
        return payload;
      } catch (error) {
        throw refusalOf(error);
      }
    },
  };
}
