import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { isCurrent, type Validity } from './claims.ts';
import type { Identity } from './token.ts';

/** What the check of a token found. */
export interface Verified {
  readonly identity: Identity;
  readonly validity: Validity;
  /** See `TokenSource`. */
  readonly keepFresh?: (() => Promise<void>) | undefined;
}

/** Tokens that have been checked, so that their cryptography is not done again while they are valid. */
export interface VerifiedTokens {
  /** Whom the token speaks for, without a check where it is known. Throws what the check throws; that is never kept. */
  identityOf(token: string): Promise<Identity>;
  /** Forgets all of them: keys have changed. */
  forget(): void;
}

/** What all of them together may take, in bytes, more or less: some 30,000 of the usual ones. */
const MAX_BYTES = 8 * 1024 * 1024;

/** What one takes besides its texts. */
const ENTRY_BYTES = 250;

/**
 * A bounded memory in front of `check`, by the tokens' digests, so that it holds no tokens. What a token may *do* is not in
 * it: role and status come from the account, at each request. `now` is the clock.
 */
export function verifiedTokens(check: (token: string) => Promise<Verified>, now: () => Date): VerifiedTokens {
  const known = new LRUCache<string, Verified>({
    maxSize: MAX_BYTES,
    sizeCalculation: ({ identity: { email, name = '' } }) => ENTRY_BYTES + 2 * (email.length + name.length),
  });
  let generation = 0;
  return {
    async identityOf(token) {
      const digest = hash('sha256', token, 'base64url');
      // It may empty the memory: what is known is looked up afterwards.
      await known.peek(digest)?.keepFresh?.();
      const found = known.get(digest);
      if (found !== undefined && isCurrent(found.validity, now())) return found.identity;

      const before = generation;
      const verified = await check(token);
      // The key that was good for it may be gone by now.
      if (generation === before) known.set(digest, verified);
      return verified.identity;
    },
    forget() {
      generation++;
      known.clear();
    },
  };
}
