import { decodeProtectedHeader, type ProtectedHeaderParameters } from 'jose';
import { asInvalidToken, InvalidToken } from './token.ts';

/** The form of a token, before any of its content is trusted. */
export interface TokenForm {
  /** `signed`: three parts (a JWS). `encrypted`: five, the second empty (a JWE with a shared key, `dir`). */
  readonly kind: 'signed' | 'encrypted';
  readonly header: ProtectedHeaderParameters;
}

/** As long as tokens with many groups get. Limits the work that an unauthenticated request causes. */
const MAX_TOKEN_LENGTH = 16 * 1024;

// The compact forms (RFC 7515, section 7.1; RFC 7516, section 7.1), strictly in base64url: jose's decoder ignores blanks
// and padding.
const SIGNED = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const ENCRYPTED = /^[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * Forbidden header parameters: extensions that must be understood (`crit`), keys supplied by the token itself (RFC 8725,
 * section 3.5), compression, because of decompression bombs, and nested tokens.
 */
const FORBIDDEN_PARAMETERS = ['crit', 'jwk', 'jku', 'x5c', 'x5u', 'zip', 'cty'];

/** A token of another type, such as a logout token, must not pass as a sign-in (RFC 8725, section 3.11). */
const TYPE = /^(?:application\/)?(?:at\+)?jwt$/i;

/**
 * Reads a token's form and header, without verifying them.
 * @throws {InvalidToken} if no source makes such tokens.
 */
export function readTokenForm(token: string): TokenForm {
  if (token.length > MAX_TOKEN_LENGTH) throw new InvalidToken('the token is too long');
  const kind = SIGNED.test(token) ? 'signed' : ENCRYPTED.test(token) ? 'encrypted' : undefined;
  if (kind === undefined) throw new InvalidToken('the token is neither a compact JWS nor a compact JWE');
  const header = readHeader(token);
  const forbidden = FORBIDDEN_PARAMETERS.find((name) => Object.hasOwn(header, name));
  if (forbidden !== undefined) throw new InvalidToken(`the header must not have "${forbidden}"`);
  const { typ, kid } = header as Record<string, unknown>;
  if (typ !== undefined && !(typeof typ === 'string' && TYPE.test(typ))) {
    throw new InvalidToken('the "typ" must be "JWT" or "at+jwt"');
  }
  if (kid !== undefined && typeof kid !== 'string') throw new InvalidToken('the "kid" must be a string');
  return { kind, header };
}

function readHeader(token: string): ProtectedHeaderParameters {
  try {
    return decodeProtectedHeader(token);
  } catch (error) {
    throw asInvalidToken(error);
  }
}
