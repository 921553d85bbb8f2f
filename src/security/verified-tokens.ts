import { LRUCache } from 'lru-cache';
import { isCurrent, type Validity } from './claims.ts';
import { type Identity, tokenDigest } from './token.ts';

/** The result of a successful token check. */
export interface Verified {
  readonly identity: Identity;
  readonly validity: Validity;
  /** See `TokenSource`. */
  readonly keepFresh?: (() => Promise<void>) | undefined;
}

/** A cache of verified tokens, which saves their cryptography while they are valid. */
export interface VerifiedTokens {
  /**
   * The identity in a token with this {@link tokenDigest}, from the cache or from a check. Throws the errors of the check and
   * never caches them.
   */
  identify(token: string, digest?: string): Promise<Identity>;
  /** Empties the cache. Call it when keys change. */
  forget(): void;
}

/** Approximate size limit of the cache, in bytes: about 30,000 typical tokens. */
const MAX_BYTES = 8 * 1024 * 1024;

/** Size of an entry without its texts. */
const ENTRY_BYTES = 250;

/**
 * A bounded cache in front of `check`. Its keys are digests, so it holds no tokens. It holds no permissions either: role
 * and status come from the account at each request. `now` is the clock.
 */
export function verifiedTokens(check: (token: string) => Promise<Verified>, now: () => Date): VerifiedTokens {
  const known = new LRUCache<string, Verified>({
    maxSize: MAX_BYTES,
    sizeCalculation: ({ identity: { email, name = '', issuer, subject = '' } }) =>
      ENTRY_BYTES + 2 * (email.length + name.length + issuer.length + subject.length),
  });
  let generation = 0;
  return {
    async identify(token, digest = tokenDigest(token)) {
      // This may empty the cache, so the look-up comes after it.
      await known.peek(digest)?.keepFresh?.();
      const found = known.get(digest);
      if (found !== undefined && isCurrent(found.validity, now())) return found.identity;

      const before = generation;
      const verified = await check(token);
      // Its key may have been withdrawn during the check.
      if (generation === before) known.set(digest, verified);
      return verified.identity;
    },
    forget() {
      generation++;
      known.clear();
    },
  };
}
