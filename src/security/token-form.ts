import { decodeProtectedHeader, type ProtectedHeaderParameters } from 'jose';
import { InvalidToken, refusalOf } from './token.ts';

/** A token by its looks, before any of it is believed. */
export interface TokenForm {
  /** Three parts (a JWS), or five of which the second is empty (a JWE whose key both sides have: `dir`). */
  readonly kind: 'signed' | 'encrypted';
  readonly header: ProtectedHeaderParameters;
}

/** Longer than any session token in use; it bounds the work that a stranger can ask for. */
const MAX_TOKEN_LENGTH = 8192;

// The compact forms (RFC 7515, section 7.1; RFC 7516, section 7.1) in base64url and nothing else: jose's decoder overlooks
// blanks and padding.
const SIGNED = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const ENCRYPTED = /^[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * What the header of a token must not have: demands that nobody here knows (`crit`), keys that the token itself brings
 * along (RFC 8725, section 3.5), compression, whose bombs cost more than their sender's effort, and other tokens inside.
 */
const REFUSED_PARAMETERS = ['crit', 'jwk', 'jku', 'x5c', 'x5u', 'zip', 'cty'];

/** Tokens that say of themselves to be something else, such as a logout, are not taken for a sign-in (RFC 8725, 3.11). */
const TYPE = /^(?:application\/)?(?:at\+)?jwt$/i;

/** Looks at a token's form and header. Throws `InvalidToken` for what no source makes. */
export function formOf(token: string): TokenForm {
  if (token.length > MAX_TOKEN_LENGTH) throw new InvalidToken('the token is too long');
  const kind = SIGNED.test(token) ? 'signed' : ENCRYPTED.test(token) ? 'encrypted' : undefined;
  if (kind === undefined) throw new InvalidToken('this is not a token in a compact form');
  const header = headerOf(token);
  const refused = REFUSED_PARAMETERS.find((name) => Object.hasOwn(header, name));
  if (refused !== undefined) throw new InvalidToken(`the header has "${refused}"`);
  const { typ, kid } = header as Record<string, unknown>;
  if (typ !== undefined && !(typeof typ === 'string' && TYPE.test(typ))) {
    throw new InvalidToken('by its "typ" this is another token');
  }
  if (kid !== undefined && typeof kid !== 'string') throw new InvalidToken('the "kid" must be a string');
  return { kind, header };
}

function headerOf(token: string): ProtectedHeaderParameters {
  try {
    return decodeProtectedHeader(token);
  } catch (error) {
    throw refusalOf(error);
  }
}
