import { decodeJwt } from 'jose';
import { authjsSource } from './authjs-session.ts';
import { readClaims } from './claims.ts';
import { hmacSource, isHmac } from './hmac.ts';
import { type Issuer, OIDC_ALGORITHMS, oidcSource } from './oidc.ts';
import { withoutQuery } from './provider.ts';
import type { Sources } from './sources.ts';
import {
  asInvalidToken,
  EmailUnverified,
  InvalidToken,
  type TokenSource,
  type TokenVerifier,
} from './token.ts';
import { readTokenForm, type TokenForm } from './token-form.ts';
import { verifiedTokens } from './verified-tokens.ts';
import { DIRECT, type ProxySettings } from './web-client.ts';

/** The dependencies of {@link tokenVerifier}. */
export interface VerifierOptions {
  /** The clock. */
  readonly now?: () => Date;
  /** Called when fetching the keys of an issuer has failed. `issuer` is its name, or its key URL without the query. */
  readonly onProviderFailure?: (issuer: string, error: Error) => void;
  /** Called when they have been fetched. */
  readonly onProviderKeys?: (issuer: string) => void;
  /** For the keys of issuers. Default: none. */
  readonly proxy?: ProxySettings;
}

/**
 * A verifier of tokens from all these sources. The header and issuer of a token select the only source that may verify
 * it. Each source has its own algorithms and keys (RFC 8725, sections 3.1 and 3.8), so a public key is never used as a
 * secret. No issuer is contacted before the first of its tokens arrives.
 */
export async function tokenVerifier(
  { ring, cookieNames, emails, issuers }: Sources,
  { now = () => new Date(), onProviderFailure, onProviderKeys, proxy = DIRECT }: VerifierOptions = {},
): Promise<TokenVerifier> {
  const verified = verifiedTokens(check, now);
  // Without a secret, these have no keys and refuse every token.
  const secretSource = await hmacSource(ring, { emails, now });
  const sessionSource = await authjsSource(ring, { cookieNames, emails, now });
  const issuerSources = new Map(
    issuers.map((issuer) => {
      const name = issuerName(issuer);
      const onFailure = (error: Error) => onProviderFailure?.(name, error);
      const onFetched = () => onProviderKeys?.(name);
      const events = { onChange: verified.forget, onFetched, onFailure };
      return [issuer.issuer, oidcSource(issuer, { now, ...events, proxy })];
    }),
  );

  function selectSource(token: string, { kind, header: { alg = '' } }: TokenForm): TokenSource {
    if (kind === 'encrypted') return sessionSource;
    if (isHmac(alg)) return secretSource;
    if (!OIDC_ALGORITHMS.includes(alg)) throw new InvalidToken('no configured source uses this "alg"');
    const source = issuerSources.get(readClaimedIssuer(token)) ?? issuerSources.get(null);
    if (source === undefined) throw new InvalidToken('the issuer is not configured');
    return source;
  }

  async function check(token: string) {
    const form = readTokenForm(token);
    const source = selectSource(token, form);
    const claims = await source.check(token, form.header);
    const [identity, validity] = readClaims(claims, source, now());
    return { identity, validity, keepFresh: source.keepFresh };
  }

  return {
    async verify(token, digest) {
      const identity = await verified.identify(token, digest);
      // Checked after the cache, which holds unverified identities too.
      if (identity.isUnverified) throw new EmailUnverified(identity);
      return identity;
    },
  };
}

/** The name of an issuer, or else its key URL without the query. */
export function issuerName({ issuer, jwksUrl }: Pick<Issuer, 'issuer' | 'jwksUrl'>): string {
  return issuer ?? withoutQuery(`${jwksUrl}`);
}

/** The unverified `iss` of a signed token; the source that it selects verifies it. */
function readClaimedIssuer(token: string): string | null {
  try {
    return decodeJwt(token).iss ?? null;
  } catch (error) {
    throw asInvalidToken(error);
  }
}
