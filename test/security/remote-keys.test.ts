import { expect } from 'chai';
import { exportJWK, generateKeyPair, type JSONWebKeySet, type JWK } from 'jose';
import { type RemoteKeys, remoteKeys } from '../../src/security/remote-keys.ts';
import { InvalidToken, ProviderUnavailable } from '../../src/security/token.ts';
import { refusalOf } from '../support/problem.ts';

describe('remote keys', () => {
  let jwks: Record<'a' | 'b' | 'c', JWK>;
  /** The clock, in seconds. */
  let clock: number;
  let keys: RemoteKeys;
  /** The response of the provider. */
  let respond: () => Promise<JSONWebKeySet> | JSONWebKeySet;
  let fetches: number;
  let changes: number;
  let failures: string[];

  before(async () => {
    const entries = ['a', 'b', 'c'].map(async (kid) => {
      const { publicKey } = await generateKeyPair('ES256', { extractable: true });
      return [kid, { ...(await exportJWK(publicKey)), kid }] as const;
    });
    jwks = Object.fromEntries(await Promise.all(entries)) as typeof jwks;
  });

  beforeEach(() => {
    clock = 1_700_000_000;
    fetches = 0;
    changes = 0;
    failures = [];
    publish('a');
    keys = remoteKeys({
      fetchKeys: async () => {
        fetches++;
        return respond();
      },
      now: () => new Date(clock * 1000),
      onChange: () => void changes++,
      onFailure: ({ message }) => void failures.push(message),
    });
  });

  /** Makes the provider publish these keys. */
  const publish = (...kids: (keyof typeof jwks)[]) => {
    respond = () => ({ keys: kids.map((kid) => jwks[kid]) });
  };
  const goDown = () => {
    respond = () => Promise.reject(new Error('down'));
  };
  /** The outcome for a token with this `kid`: `known`, `refused`, or the seconds until a retry. */
  const lookUp = async (kid: string | undefined, alg = 'ES256') => {
    const error = await refusalOf(keys.getKeys({ alg, ...(kid !== undefined && { kid }) }));
    if (error === undefined) return 'known';
    if (error instanceof InvalidToken) return 'refused';
    return error instanceof ProviderUnavailable ? error.retryAfterSeconds : error;
  };

  it('are fetched when first needed, and only once', async () => {
    expect(fetches).to.equal(0);
    expect(await Promise.all(Array.from({ length: 20 }, () => lookUp('a')))).to.deep.equal(
      Array.from({ length: 20 }, () => 'known'),
    );
    expect(await lookUp('a')).to.equal('known');
    expect([fetches, changes]).to.deep.equal([1, 0]);
  });

  it('are fetched again for an unknown key, then not for ten seconds', async () => {
    expect(await lookUp('a')).to.equal('known');
    clock += 60;
    publish('a', 'b');
    expect(await Promise.all(['b', 'b', 'c', 'a'].map((kid) => lookUp(kid)))).to.deep.equal([
      'known',
      'known',
      'refused',
      'known',
    ]);
    expect([fetches, changes]).to.deep.equal([2, 1]);
    publish('a', 'b', 'c');
    clock += 9;
    expect(await lookUp('c')).to.equal(1);
    clock++;
    expect(await lookUp('c')).to.equal('known');
    expect([fetches, changes]).to.deep.equal([3, 2]);
  });

  it('are not fetched more often for made-up keys', async () => {
    for (let index = 0; index < 1000; index++) {
      expect(await lookUp(`made-up-${index}`)).to.satisfy(
        (outcome: unknown) => outcome === 'refused' || Number(outcome) <= 10,
      );
      clock += 0.1;
    }
    // 100 seconds have passed.
    expect(fetches).to.be.within(10, 11);
  });

  it('may be unknown for a while after a fetch, without being refused', async () => {
    expect(await lookUp('a')).to.equal('known');
    expect(await lookUp('b')).to.equal('refused');
    publish('a', 'b');
    clock += 1;
    expect(await lookUp('b')).to.equal(9);
    clock += 8.5;
    expect([await lookUp('b'), await lookUp('a'), fetches]).to.deep.equal([1, 'known', 1]);
    clock += 0.5;
    expect(await lookUp('b')).to.equal('known');
    expect(failures).to.deep.equal([]);
  });

  it('stay valid while the provider is down, however old; only an unknown key is unavailable', async () => {
    expect(await lookUp('a')).to.equal('known');
    goDown();
    for (const age of [60, 3600, 86_400]) {
      clock += age;
      expect(await lookUp('a')).to.equal('known');
      expect(await lookUp('b')).to.equal(10);
    }
    clock += 3;
    expect(await lookUp('b')).to.equal(7);
    publish('a', 'b');
    expect(await lookUp('b')).to.equal(7);
    clock += 7;
    expect(await lookUp('b')).to.equal('known');
    expect(failures).to.deep.equal(['down', 'down', 'down']);
  });

  it('are unavailable until the provider first responds, and are fetched every ten seconds', async () => {
    goDown();
    expect(await lookUp('a')).to.equal(10);
    clock += 9.5;
    expect(await lookUp('a')).to.equal(1);
    expect(fetches).to.equal(1);
    clock += 0.5;
    expect(await Promise.all([lookUp('a'), lookUp('a')])).to.deep.equal([10, 10]);
    expect(fetches).to.equal(2);
    clock += 10;
    publish('a');
    expect(await lookUp('a')).to.equal('known');
  });

  it('are refetched in the background from five minutes on', async () => {
    await lookUp('a');
    clock += 299;
    await lookUp('a');
    expect(fetches).to.equal(1);
    let release = () => {};
    respond = () => new Promise((resolve) => (release = () => resolve({ keys: [jwks.b] })));
    clock += 1;
    expect(await lookUp('a')).to.equal('known');
    expect(fetches).to.equal(2);
    release();
    while (changes === 0) await new Promise(setImmediate);
    expect(await lookUp('a')).to.equal('refused');
    expect(await lookUp('b')).to.equal('known');
    expect(fetches).to.equal(2);
  });

  it('are refetched before use from ten minutes on, so that a withdrawn key is not used', async () => {
    await lookUp('a');
    publish('b');
    clock += 600;
    expect(await lookUp('a')).to.equal('refused');
    await lookUp('b');
    clock += 86_400;
    publish('c');
    await keys.keepFresh();
    expect(changes).to.equal(2);
  });

  it('are refetched after the clock was set back', async () => {
    await lookUp('a');
    clock -= 86_400;
    publish('b');
    expect(await lookUp('b')).to.equal('known');
  });

  it('are unchanged if the provider sends them again', async () => {
    await lookUp('a');
    clock += 700;
    await lookUp('a');
    expect([fetches, changes]).to.deep.equal([2, 0]);
  });

  it('are kept if the provider sends nonsense', async () => {
    await lookUp('a');
    for (const nonsense of [null, 42, [], {}, { keys: {} }, { keys: [1] }, { keys: ['a'] }]) {
      respond = () => nonsense as unknown as JSONWebKeySet;
      clock += 700;
      await keys.keepFresh();
      clock += 10;
      expect(await lookUp('a')).to.equal('known');
      expect(await lookUp('b')).to.equal(10);
    }
    expect(changes).to.equal(0);
  });

  it('are all withdrawn if the provider publishes none', async () => {
    await lookUp('a');
    respond = () => ({ keys: [] });
    clock += 700;
    expect(await lookUp('a')).to.equal('refused');
  });

  it('match only their own algorithm', async () => {
    const { publicKey } = await generateKeyPair('RS256', { extractable: true });
    const rsa = await exportJWK(publicKey);
    respond = () => ({
      keys: [
        { ...rsa, kid: 'rsa' },
        { ...rsa, kid: 'only-ps', alg: 'PS256' },
        { ...rsa, kid: 'encryption', use: 'enc' },
        { kty: 'oct', k: 'c2VjcmV0', kid: 'secret' },
        jwks.a,
      ],
    });
    expect(await lookUp('rsa', 'RS256')).to.equal('known');
    for (const [kid, alg] of [
      ['only-ps', 'RS256'],
      ['encryption', 'RS256'],
      ['secret', 'HS256'],
      ['secret', 'RS256'],
      ['rsa', 'HS256'],
      ['rsa', 'ES256'],
      ['a', 'RS256'],
      ['a', 'ES384'],
      ['a', 'none'],
    ] as const) {
      const error = await refusalOf(keys.getKeys({ alg, kid }));
      expect(error, `${kid} ${alg}`).to.be.instanceOf(Error);
    }
  });

  it('are all found without a kid', async () => {
    expect(await keys.getKeys({ alg: 'ES256' })).to.have.lengthOf(1);
    publish('a', 'b');
    clock += 700;
    expect(await keys.getKeys({ alg: 'ES256' })).to.have.lengthOf(2);
  });

  it('are at most eight', async () => {
    respond = () => ({ keys: Array.from({ length: 20 }, (_, index) => ({ ...jwks.a, kid: `${index}` })) });
    expect(await keys.getKeys({ alg: 'ES256' })).to.have.lengthOf(8);
  });
});
