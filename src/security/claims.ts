import type { JWTClaimVerificationOptions, JWTPayload } from 'jose';
import { readEmail } from './email-claims.ts';
import { type Identity, InvalidToken, type TokenSource } from './token.ts';

/** Allowed difference between our clock and the clock of a token's issuer, in seconds. */
const CLOCK_TOLERANCE_SECONDS = 15;

/** The validity period in a token's claims, in seconds since 1970. */
export interface Validity {
  readonly exp: number;
  readonly nbf: number;
}

/** The claim checks that jose performs on the tokens of every source. */
export function claimOptions(now: Date): JWTClaimVerificationOptions {
  return { requiredClaims: ['exp'], clockTolerance: CLOCK_TOLERANCE_SECONDS, currentDate: now };
}

/**
 * The identity and validity period in claims that jose has verified.
 * @throws {InvalidToken} if the email is missing or could be taken for another one, or `iat` is in the future.
 */
export function readClaims(
  claims: JWTPayload,
  { emails, issuerOf }: Pick<TokenSource, 'emails' | 'issuerOf'>,
  now: Date,
): [Identity, Validity] {
  const { iat, exp = 0, nbf = 0, name } = claims;
  if (iat !== undefined && iat > seconds(now) + CLOCK_TOLERANCE_SECONDS) {
    throw new InvalidToken('"iat" claim timestamp check failed');
  }
  const { email, isVerified, doubt } = readEmail(claims, emails);
  return [
    {
      email,
      issuer: issuerOf(claims),
      subject: subjectOf(claims),
      emailVerified: isVerified,
      ...(typeof name === 'string' && name !== '' && { name }),
      ...(doubt !== undefined && { isUnverified: true, doubt }),
    },
    { exp, nbf },
  ];
}

/** The `iss` of claims where it is one, or else `fallback`. */
export function claimedIssuer({ iss }: JWTPayload, fallback: string): string {
  return typeof iss === 'string' && iss !== '' ? iss : fallback;
}

function subjectOf(claims: JWTPayload): string | undefined {
  const sub: unknown = claims.sub;
  // Hand-made tokens may have the number of a row, against RFC 7519.
  if (Number.isSafeInteger(sub)) return `${sub}`;
  return typeof sub === 'string' && sub !== '' ? sub : undefined;
}

/** Whether a token that was valid before is valid now, with the same tolerance as jose. */
export function isCurrent({ exp, nbf }: Validity, now: Date): boolean {
  return exp > seconds(now) - CLOCK_TOLERANCE_SECONDS && nbf <= seconds(now) + CLOCK_TOLERANCE_SECONDS;
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}
