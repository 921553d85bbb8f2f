import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWSHeaderParameters,
} from 'jose';
import { InvalidToken, ProviderUnavailable } from './token.ts';

/** The keys of an identity provider that may be down and may change its keys. */
export interface RemoteKeys {
  /**
   * The key for a token with this header.
   * @throws {InvalidToken} if the provider has no such key.
   * @throws {ProviderUnavailable} if that cannot be determined now.
   */
  getKey(header: JWSHeaderParameters): Promise<CryptoKey>;
  /** Refetches old keys, so that withdrawn keys are forgotten. Never throws. */
  keepFresh(): Promise<void>;
}

/** The dependencies of {@link remoteKeys}. */
export interface RemoteKeysOptions {
  readonly fetchKeys: () => Promise<JSONWebKeySet>;
  readonly now: () => Date;
  /** Called when the keys have changed. */
  readonly onChange: () => void;
  /** Called when fetching the keys has failed. */
  readonly onFailure: (error: Error) => void;
}

/** From this age, keys are refetched in the background. */
const REFRESH_MS = 5 * 60_000;

/** From this age, callers wait for the refetch, unless the last one failed. */
const MAX_AGE_MS = 10 * 60_000;

/** Minimum time between two fetches, so that made-up `kid`s cannot flood the provider. */
const COOL_DOWN_MS = 10_000;

/** For this long after a fetch, an unknown key does not exist; later, the provider may have added it. */
const CONCLUSIVE_MS = 1_000;

/**
 * Keys that are fetched when first needed and then kept. They stay in use while the provider is down, however old they
 * are, because otherwise nobody could sign in. An unknown `kid` triggers another fetch; during the cool-down it is
 * unknown whether such a key exists.
 */
export function remoteKeys({ fetchKeys, now, onChange, onFailure }: RemoteKeysOptions): RemoteKeys {
  let known: { readonly text: string; readonly find: ReturnType<typeof createLocalJWKSet> } | undefined;
  let knownSince = Number.NEGATIVE_INFINITY;
  let fetchedAt = Number.NEGATIVE_INFINITY;
  let failure: Error | undefined;
  let fetching: Promise<void> | undefined;

  // A clock that was set back must not make anything look recent.
  const isWithin = (ms: number, since: number) => {
    const age = now().getTime() - since;
    return age >= 0 && age < ms;
  };
  const refetch = async () => {
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
      fetchedAt = now().getTime();
      fetching = undefined;
    }
  };
  /** Concurrent callers share one fetch. */
  const refetchOnce = () => {
    fetching ??= refetch();
    return fetching;
  };

  const keepFresh = async () => {
    if (isWithin(REFRESH_MS, knownSince) || isWithin(COOL_DOWN_MS, fetchedAt)) return;
    const fetched = refetchOnce();
    if (failure === undefined && !isWithin(MAX_AGE_MS, knownSince)) await fetched;
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
    async getKey(header) {
      await keepFresh();
      let key = await find(header);
      if (key === undefined && !isWithin(COOL_DOWN_MS, fetchedAt)) {
        await refetchOnce();
        key = await find(header);
      }
      if (key !== undefined) return key;
      if (failure === undefined && isWithin(CONCLUSIVE_MS, fetchedAt)) {
        throw new InvalidToken('the issuer has no matching key');
      }
      const waitMs = fetchedAt + COOL_DOWN_MS - now().getTime();
      throw new ProviderUnavailable(Math.max(1, Math.ceil(waitMs / 1000)), {
        isKeyUnknown: known !== undefined,
        cause:
          failure ?? new Error('The keys were fetched a moment ago: the next fetch waits for the cool-down.'),
      });
    },
  };
}
