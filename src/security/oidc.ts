import { decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose';
import { claimedIssuer, claimOptions } from './claims.ts';
import type { EmailRules } from './email-claims.ts';
import { checkWithEach } from './key-ring.ts';
import { fetchKeys, withoutQuery } from './provider.ts';
import { type RemoteKeysOptions, remoteKeys } from './remote-keys.ts';
import { asInvalidToken, InvalidToken, type TokenSource } from './token.ts';
import type { ProxySettings } from './web-client.ts';

/** The algorithms of OpenID Connect sources. None of them works with a secret. `Ed25519` (RFC 9864) is a newer name of `EdDSA`. */
export const OIDC_ALGORITHMS: readonly string[] = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'];

/** An OpenID Connect issuer whose tokens Rollcall accepts. */
export interface Issuer {
  /** Must equal the `iss` claim exactly; `null`: any `iss`. */
  readonly issuer: string | null;
  /** `null`: taken from the issuer's discovery document. */
  readonly jwksUrl: string | null;
  /** A token's `aud` must contain one of these. Empty only where there are `clients`. */
  readonly audience: readonly string[];
  /** A token without an `aud` must have one of these as its `client_id` or `azp`; empty: an `aud` is required. */
  readonly clients: readonly string[];
  readonly emails: EmailRules;
}

/**
 * The source of JSON Web Tokens (RFC 7519) signed by an OpenID Connect issuer with the keys that it publishes. Fetches
 * the keys when the first of its tokens arrives, through the `proxy`. `now` is the clock.
 */
export function oidcSource(
  { issuer, jwksUrl, audience, clients, emails }: Issuer,
  events: Omit<RemoteKeysOptions, 'fetchKeys'> & { readonly proxy?: ProxySettings },
): TokenSource {
  const keys = remoteKeys({ fetchKeys: () => fetchKeys({ issuer, jwksUrl }, events.proxy), ...events });
  return {
    emails,
    issuerOf: (claims) => issuer ?? claimedIssuer(claims, withoutQuery(`${jwksUrl}`)),
    keepFresh: keys.keepFresh,
    async check(token, header) {
      try {
        const isForClient = clients.length > 0 && decodeJwt(token).aud === undefined;
        const options = {
          algorithms: [...OIDC_ALGORITHMS],
          ...(!isForClient && { audience: [...audience] }),
          ...(issuer !== null && { issuer }),
          ...claimOptions(events.now()),
        };
        const verify = async () =>
          checkWithEach(await keys.getKeys({ ...header, alg: `${header.alg}` }), (key) =>
            jwtVerify(token, key, options),
          );
        const payload = await verify().catch(async (error: Error) => {
          // Without a kid, only this tells that the provider may have a new key.
          const mayBeNew =
            header.kid === undefined && error.cause instanceof errors.JWSSignatureVerificationFailed;
          if (mayBeNew && (await keys.renew())) return verify();
          throw error;
        });
        if (isForClient) checkClient(payload, clients);
        return payload;
      } catch (error) {
        throw asInvalidToken(error);
      }
    },
  };
}

/** Access tokens without an audience name the app that they were issued to: in `client_id` (RFC 9068), `azp` or both. */
function checkClient({ client_id: clientId, azp }: JWTPayload, clients: readonly string[]): void {
  const given = [clientId, azp].filter((claim) => claim !== undefined);
  if (given.length === 0 || !given.every((claim) => typeof claim === 'string' && clients.includes(claim))) {
    throw new InvalidToken('the token has no "aud", and its "client_id" or "azp" is not in AUTH_CLIENTS');
  }
}
