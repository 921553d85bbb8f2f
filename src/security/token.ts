import { hash } from 'node:crypto';
import type { JWTPayload, ProtectedHeaderParameters } from 'jose';
import type { EmailRules } from './email-claims.ts';

/** The identity in a verified token. */
export interface Identity {
  /** As in the token; the account look-up normalises it. */
  readonly email: string;
  /** As in the token, if present. */
  readonly name?: string;
  /** Who speaks: the token's `iss` or, where its source does not rely on one, the name of the source. Never empty. */
  readonly issuer: string;
  /** The token's `sub`: who the issuer speaks of, whatever their email. `undefined` where it has none. */
  readonly subject: string | undefined;
  /** Whether the issuer says that the email is verified. Without a word about it, `false`; the sign-in is valid all the same. */
  readonly emailVerified: boolean;
  /** Whether the email counts as unverified: the issuer says so, may not speak for it, or does not vouch for its claim. */
  readonly isUnverified?: true;
  /** Why it does, for the log. */
  readonly doubt?: string;
}

/** The token is invalid. The reason is only for the log: callers receive the same refusal for all reasons. */
export class InvalidToken extends Error {
  override readonly name = 'InvalidToken';
}

/** The token is valid, but its email counts as unverified. The message is for the log. */
export class EmailUnverified extends Error {
  override readonly name = 'EmailUnverified';
  /** The identity with the unverified email. */
  readonly identity: Identity;

  constructor(identity: Identity) {
    super(`the email is not verified: ${identity.doubt}`);
    this.identity = identity;
  }
}

/** The token cannot be verified now: its key is unknown and the identity provider cannot be asked for it. */
export class ProviderUnavailable extends Error {
  override readonly name = 'ProviderUnavailable';
  /** Whole seconds until the provider is asked again, at least 1. */
  readonly retryAfterSeconds: number;
  /** Whether the provider's keys are known, and the token's is none of them: it may be made up. */
  readonly isKeyUnknown: boolean;

  constructor(retryAfterSeconds: number, { isKeyUnknown, cause }: { isKeyUnknown: boolean; cause: Error }) {
    super('The identity provider cannot be reached at the moment.', { cause });
    this.retryAfterSeconds = retryAfterSeconds;
    this.isKeyUnknown = isKeyUnknown;
  }
}

/** What caches know a token by, so that they hold no tokens: its SHA-256. */
export function tokenDigest(token: string): string {
  return hash('sha256', token, 'base64url');
}

/** Verifies tokens that another system issued. */
export interface TokenVerifier {
  /**
   * The identity in a token. `digest` is its {@link tokenDigest}, for callers that have it.
   * @throws {InvalidToken | EmailUnverified | ProviderUnavailable}
   */
  verify(token: string, digest?: string): Promise<Identity>;
}

/** A source of tokens, with its own keys and algorithms. */
export interface TokenSource {
  /** Where its tokens have the email, and which emails it may speak for. */
  readonly emails: EmailRules;
  /** The name of who speaks in verified claims: see `Identity.issuer`. */
  issuerOf(claims: JWTPayload): string;
  /**
   * The claims of a token, if this source issued it for us and it is valid now. `header` is the token's own.
   * @throws {InvalidToken | ProviderUnavailable}
   */
  check(token: string, header: ProtectedHeaderParameters): Promise<JWTPayload>;
  /** Call and await it before accepting a token that was checked earlier. Never throws. */
  keepFresh?(): Promise<void>;
}

/** Turns an error of a token check into an `InvalidToken`; keeps `InvalidToken` and `ProviderUnavailable`. */
export function asInvalidToken(error: unknown): Error {
  if (error instanceof InvalidToken || error instanceof ProviderUnavailable) return error;
  return new InvalidToken((error as Error).message, { cause: error });
}
