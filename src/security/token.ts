import type { JWTPayload, ProtectedHeaderParameters } from 'jose';

/** Who a token speaks for. */
export interface Identity {
  /** As the token has it; the accounts' own form of it is made where accounts are looked up. */
  readonly email: string;
  /** As the token has it, where it has one. */
  readonly name?: string;
  /** Whether its maker says that nobody has seen to it that the email is theirs. */
  readonly isUnverified?: true;
}

/** The token was refused. The reason is for the log alone: outside, all refusals look alike. */
export class InvalidToken extends Error {
  override readonly name = 'InvalidToken';
}

/** The token is good, but its maker says that nobody has seen to it that the email is theirs. */
export class EmailUnverified extends Error {
  override readonly name = 'EmailUnverified';
  /** Whose it may be or not. */
  readonly email: string;

  constructor(email: string) {
    super('the email is not verified');
    this.email = email;
  }
}

/** Whether the token is good cannot be said: the identity provider does not tell the key that it names. */
export class ProviderUnavailable extends Error {
  override readonly name = 'ProviderUnavailable';
  /** When the provider is asked again, in whole seconds from now, at least 1. */
  readonly retryAfterSeconds: number;

  constructor(retryAfterSeconds: number, options: ErrorOptions) {
    super('The identity provider cannot be reached at the moment.', options);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Checks tokens that were made elsewhere. */
export interface TokenVerifier {
  /**
   * Whom the token speaks for. Throws `InvalidToken` for every token that it does not vouch for, `EmailUnverified`, and
   * `ProviderUnavailable`.
   */
  verify(token: string): Promise<Identity>;
}

/** One of those whose tokens are taken, with keys and algorithms of its own. */
export interface TokenSource {
  /** The claim that has the email. */
  readonly emailClaim: string;
  /**
   * The claims of a token that this source made for us and that is valid now; `header` is what it says of itself.
   * Throws `InvalidToken` and `ProviderUnavailable`.
   */
  check(token: string, header: ProtectedHeaderParameters): Promise<JWTPayload>;
  /** To be awaited before a token that was checked earlier is taken without a check. Never throws. */
  keepFresh?(): Promise<void>;
}

/** What went wrong while a token was checked, as a refusal of that token; what says so itself is left as it is. */
export function refusalOf(error: unknown): Error {
  if (error instanceof InvalidToken || error instanceof ProviderUnavailable) return error;
  return new InvalidToken((error as Error).message, { cause: error });
}
