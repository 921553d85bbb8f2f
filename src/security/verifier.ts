import { decodeJwt } from 'jose';
import { authjsSource } from './authjs-session.ts';
import { readClaims } from './claims.ts';
import { HS256, hs256Source } from './hs256.ts';
import { OIDC_ALGORITHMS, oidcSource } from './oidc.ts';
import { withoutQuery } from './provider.ts';
import type { Sources } from './sources.ts';
import { EmailUnverified, InvalidToken, refusalOf, type TokenSource, type TokenVerifier } from './token.ts';
import { formOf, type TokenForm } from './token-form.ts';
import { verifiedTokens } from './verified-tokens.ts';

/** What a verifier needs of the world. */
export interface VerifierOptions {
  /** The clock. */
  readonly now?: () => Date;
  /** The keys of this issuer (by its name or the URL of its keys, without the query) were asked for and cannot be had. */
  readonly onProviderFailure?: (issuer: string, error: Error) => void;
}

/**
 * A verifier of the tokens of all these sources. What a token says of itself chooses the one source that may vouch for it,
 * and each has algorithms and keys of its own (RFC 8725, sections 3.1 and 3.8): a public key is never taken for a secret.
 * No issuer is asked for anything before the first of its tokens comes.
 */
export async function tokenVerifier(
  { ring, cookieNames, emailClaim, issuers }: Sources,
  { now = () => new Date(), onProviderFailure = () => undefined }: VerifierOptions = {},
): Promise<TokenVerifier> {
  const verified = verifiedTokens(check, now);
  const secretSource = await hs256Source(ring, { emailClaim, now });
  const sessionSource = await authjsSource(ring, { cookieNames, emailClaim, now });
  const issuerSources = new Map(
    issuers.map((issuer) => {
      const onFailure = (error: Error) =>
        onProviderFailure(issuer.issuer ?? withoutQuery(`${issuer.jwksUrl}`), error);
      return [issuer.issuer, oidcSource(issuer, { now, onChange: verified.forget, onFailure })];
    }),
  );

  function sourceOf(token: string, { kind, header: { alg = '' } }: TokenForm): TokenSource {
    if (kind === 'encrypted') return sessionSource;
    if (alg === HS256) return secretSource;
    if (!OIDC_ALGORITHMS.includes(alg)) throw new InvalidToken('no source of tokens signs like this');
    const source = issuerSources.get(claimedIssuer(token)) ?? issuerSources.get(null);
    if (source === undefined) throw new InvalidToken('the issuer is none of those that are configured');
    return source;
  }

  async function check(token: string) {
    const form = formOf(token);
    const source = sourceOf(token, form);
    const claims = await source.check(token, form.header);
    const [identity, validity] = readClaims(claims, source.emailClaim, now());
    return { identity, validity, keepFresh: source.keepFresh };
  }

  return {
    async verify(token) {
      const identity = await verified.identityOf(token);
      // After the memory, which keeps this as well.
      if (identity.isUnverified) throw new EmailUnverified(identity.email);
      return identity;
    },
  };
}

/** The `iss` that a signed token claims to have; the source that it names checks it again. */
function claimedIssuer(token: string): string | null {
  try {
    return decodeJwt(token).iss ?? null;
  } catch (error) {
    throw refusalOf(error);
  }
}
