import type { JWTClaimVerificationOptions, JWTPayload } from 'jose';
import { type Identity, InvalidToken } from './token.ts';

/** How far the clock of whoever made a token may be off, in seconds. */
const CLOCK_TOLERANCE_SECONDS = 15;

/** When a token is valid, as its claims have it: in seconds since 1970. */
export interface Validity {
  readonly exp: number;
  readonly nbf: number;
}

/** What jose shall see to in the claims of every token, whoever made it. */
export function claimOptions(now: Date): JWTClaimVerificationOptions {
  return { requiredClaims: ['exp'], clockTolerance: CLOCK_TOLERANCE_SECONDS, currentDate: now };
}

/**
 * Whom claims that jose has checked speak for, and when. Throws `InvalidToken` where they name nobody or come from the
 * future.
 */
export function readClaims(claims: JWTPayload, emailClaim: string, now: Date): [Identity, Validity] {
  const { iat, exp = 0, nbf = 0, name, email_verified: verified = true } = claims;
  if (iat !== undefined && iat > seconds(now) + CLOCK_TOLERANCE_SECONDS) {
    throw new InvalidToken('"iat" claim timestamp check failed');
  }
  const email = Object.hasOwn(claims, emailClaim) ? claims[emailClaim] : undefined;
  if (typeof email !== 'string' || email === '') {
    throw new InvalidToken(`the "${emailClaim}" claim must be a string`);
  }
  // Some providers write it as a string.
  const isUnverified = verified !== true && verified !== 'true';
  return [
    {
      email,
      ...(typeof name === 'string' && name !== '' && { name }),
      ...(isUnverified && { isUnverified }),
    },
    { exp, nbf },
  ];
}

/** Whether a token that was valid once is so now, by the same measure. */
export function isCurrent({ exp, nbf }: Validity, now: Date): boolean {
  return exp > seconds(now) - CLOCK_TOLERANCE_SECONDS && nbf <= seconds(now) + CLOCK_TOLERANCE_SECONDS;
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}
