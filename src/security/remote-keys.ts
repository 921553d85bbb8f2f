import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWK,
  type JWSHeaderParameters,
} from 'jose';
import { InvalidToken, ProviderUnavailable } from './token.ts';

/** The keys of an identity provider that may be down and may change its keys. */
export interface RemoteKeys {
  /**
   * The keys for a token with this header: several where neither `kid` nor `alg` tells them apart, but at most
   * {@link MAX_KEYS}.
   * @throws {InvalidToken} if the provider has no such key.
   * @throws {ProviderUnavailable} if that cannot be determined now.
   */
  getKeys(header: JWSHeaderParameters): Promise<readonly CryptoKey[]>;
  /** Refetches the keys, unless that was a moment ago, and returns whether they have changed. Never throws. */
  renew(): Promise<boolean>;
  /** Refetches old keys, so that withdrawn keys are forgotten. Never throws. */
  keepFresh(): Promise<void>;
}

/** The dependencies of {@link remoteKeys}. */
export interface RemoteKeysOptions {
  readonly fetchKeys: () => Promise<JSONWebKeySet>;
  readonly now: () => Date;
  /** Called when the keys have changed. */
  readonly onChange: () => void;
  /** Called when the keys have been fetched. */
  readonly onFetched?: () => void;
  /** Called when fetching the keys has failed. */
  readonly onFailure: (error: Error) => void;
}

/** How many keys are tried on a token. Limits the work that an unauthenticated request causes. */
const MAX_KEYS = 8;

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
export function remoteKeys(options: RemoteKeysOptions): RemoteKeys {
  const { fetchKeys, now, onChange, onFetched, onFailure } = options;
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
        known = { text, find: createLocalJWKSet(withoutNames(keys)) };
        if (!isFirst) onChange();
      }
      knownSince = now().getTime();
      failure = undefined;
      onFetched?.();
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
  const find = async (header: JWSHeaderParameters): Promise<readonly CryptoKey[]> => {
    try {
      return known === undefined ? [] : [await known.find(header)];
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return [];
      if (error instanceof errors.JWKSMultipleMatchingKeys) return await firstOf(error, MAX_KEYS);
      throw error;
    }
  };

  return {
    keepFresh,
    async renew() {
      const before = known;
      if (!isWithin(COOL_DOWN_MS, fetchedAt)) await refetchOnce();
      return known !== before;
    },
    async getKeys(header) {
      await keepFresh();
      let keys = await find(header);
      if (keys.length === 0 && !isWithin(COOL_DOWN_MS, fetchedAt)) {
        await refetchOnce();
        keys = await find(header);
      }
      if (keys.length > 0) return keys;
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

async function firstOf<T>(all: AsyncIterable<T>, count: number): Promise<readonly T[]> {
  const first: T[] = [];
  for await (const one of all) if (first.push(one) === count) break;
  return first;
}

/** Drops the `alg` of Ed25519 keys: a token may have the other of its two names (RFC 9864, section 2.2). */
function withoutNames(keys: JSONWebKeySet): JSONWebKeySet {
  if (!Array.isArray(keys?.keys)) return keys;
  return { ...keys, keys: keys.keys.map(withoutName) };
}

function withoutName(key: JWK): JWK {
  if (key?.crv !== 'Ed25519' || (key.alg !== 'EdDSA' && key.alg !== 'Ed25519')) return key;
  const { alg, ...rest } = key;
  return rest;
}
