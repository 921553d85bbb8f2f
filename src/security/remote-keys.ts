import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWSHeaderParameters,
} from 'jose';
import { InvalidToken, ProviderUnavailable } from './token.ts';

/** The keys of somebody who may be down, and who may change them. */
export interface RemoteKeys {
  /** The key that signed a token with this header. Throws `InvalidToken`, and `ProviderUnavailable` where it is missing. */
  keyFor(header: JWSHeaderParameters): Promise<CryptoKey>;
  /** Sees to it that a key that was withdrawn does not stay known. Never throws. */
  keepFresh(): Promise<void>;
}

/** What remote keys need of the world. */
export interface RemoteKeysOptions {
  readonly fetchKeys: () => Promise<JSONWebKeySet>;
  readonly now: () => Date;
  /** The keys are others than they were. */
  readonly onChange: () => void;
  /** They were asked for and cannot be had. */
  readonly onFailure: (error: Error) => void;
}

/** From this age on, keys are asked for again, while they go on working. */
const REFRESH_MS = 5 * 60_000;

/** From this age on, what is asked for is waited for, unless asking has just failed. */
const MAX_AGE_MS = 10 * 60_000;

/** The shortest time between two askings, so that strangers with made-up `kid`s cannot have the provider flooded. */
const COOL_DOWN_MS = 10_000;

/** What the provider has said so lately is its last word; later, it may have more keys than it had. */
const LAST_WORD_MS = 1_000;

/**
 * Keys that are asked for when they are first needed and kept from then on: also when they are old and their provider is
 * down, for then nobody could sign in. A `kid` that is unknown asks once more, with a cool-down, during which nobody can
 * say whether there is such a key.
 */
export function remoteKeys({ fetchKeys, now, onChange, onFailure }: RemoteKeysOptions): RemoteKeys {
  let known: { readonly text: string; readonly find: ReturnType<typeof createLocalJWKSet> } | undefined;
  let knownSince = Number.NEGATIVE_INFINITY;
  let askedAt = Number.NEGATIVE_INFINITY;
  let failure: Error | undefined;
  let asking: Promise<void> | undefined;

  // A clock that was set back makes nothing young.
  const isWithin = (ms: number, since: number) => {
    const age = now().getTime() - since;
    return age >= 0 && age < ms;
  };
  const ask = async () => {
    try {
      const keys = await fetchKeys();
      const text = JSON.stringify(keys);
      if (text !== known?.text) {
        const isFirst = known === undefined;
        known = { text, find: createLocalJWKSet(keys) };
        if (!isFirst) onChange();
      }
      knownSince = now().getTime();
      failure = undefined;
    } catch (error) {
      failure = error as Error;
      onFailure(failure);
    } finally {
      askedAt = now().getTime();
      asking = undefined;
    }
  };
  /** At most one at a time: whoever comes meanwhile waits for the same answer. */
  const askOnce = () => {
    asking ??= ask();
    return asking;
  };

  const keepFresh = async () => {
    if (isWithin(REFRESH_MS, knownSince) || isWithin(COOL_DOWN_MS, askedAt)) return;
    const asked = askOnce();
    if (failure === undefined && !isWithin(MAX_AGE_MS, knownSince)) await asked;
  };
  const find = async (header: JWSHeaderParameters) => {
    try {
      return await known?.find(header);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return undefined;
      throw error;
    }
  };

  return {
    keepFresh,
    async keyFor(header) {
      await keepFresh();
      let key = await find(header);
      if (key === undefined && !isWithin(COOL_DOWN_MS, askedAt)) {
        await askOnce();
        key = await find(header);
      }
      if (key !== undefined) return key;
      if (failure === undefined && isWithin(LAST_WORD_MS, askedAt)) {
        throw new InvalidToken('the issuer has no such key');
      }
      const waitMs = askedAt + COOL_DOWN_MS - now().getTime();
      throw new ProviderUnavailable(Math.max(1, Math.ceil(waitMs / 1000)), {
        cause: failure ?? new Error('It has been asked just now, and is not asked again so soon.'),
      });
    },
  };
}
