import type { webcrypto } from 'node:crypto';
import { type JWTPayload, jwtVerify, SignJWT } from 'jose';

/** Who a token speaks for. */
export interface Identity {
  /** As the token has it; the accounts' own form of it is made where accounts are looked up. */
  readonly email: string;
}

/** The token was refused. The reason is for the log alone: outside, all refusals look alike. */
export class InvalidToken extends Error {
  override readonly name = 'InvalidToken';
}

/** Checks tokens that were signed elsewhere. */
export interface TokenVerifier {
  /** Throws `InvalidToken` for every token that it does not vouch for. */
  verify(token: string): Promise<Identity>;
}

/** How far the clock of whoever signed a token may be off, in seconds. */
const CLOCK_TOLERANCE_SECONDS = 15;

/** No one algorithm but this: an attacker's choice of `alg` is never followed (RFC 8725, section 3.1). */
const ALGORITHM = 'HS256';

/** Longer than any session token in use; it bounds the work that a stranger can ask for. */
const MAX_TOKEN_LENGTH = 8192;

/** Three parts in base64url and nothing else (RFC 7515, section 7.1): jose's decoder overlooks blanks and padding. */
const COMPACT_FORM = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * Checks JSON Web Tokens (RFC 7519) signed with HS256 under `secret`. They must carry `exp` and `email`.
 * `now` is the clock.
 */
export function hs256Verifier(secret: string, now: () => Date = () => new Date()): TokenVerifier {
  const key = importSecret(secret);
  return {
    async verify(token) {
      if (token.length > MAX_TOKEN_LENGTH) throw new InvalidToken('the token is too long');
      if (!COMPACT_FORM.test(token)) throw new InvalidToken('this is not a signed token in the compact form');
      const { payload } = await jwtVerify(token, await key, {
        algorithms: [ALGORITHM],
        requiredClaims: ['exp', 'email'],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: now(),
      }).catch((error: Error) => {
        throw new InvalidToken(error.message, { cause: error });
      });
      return identityOf(payload);
    },
  };
}

/**
 * Signs a token that speaks for `email` for as long as `ttl` says, in jose's words for a time span: `30s`, `15m`, `1h`,
 * `7 days`. Throws a `TypeError` for other words.
 */
export async function signHs256(secret: string, email: string, ttl: string): Promise<string> {
  return new SignJWT({ email })
    .setProtectedHeader({ alg: ALGORITHM })
    .setIssuedAt()
    .setExpirationTime(ttl)
    .sign(await importSecret(secret));
}

function identityOf({ email }: JWTPayload): Identity {
  if (typeof email !== 'string' || email === '') throw new InvalidToken('the "email" claim must be a string');
  return { email };
}

// As a CryptoKey, imported once: jose would import bytes anew for each token.
function importSecret(secret: string): Promise<webcrypto.CryptoKey> {
  const hmac = { name: 'HMAC', hash: 'SHA-256' };
  return crypto.subtle.importKey('raw', Buffer.from(secret), hmac, false, ['sign', 'verify']);
}
