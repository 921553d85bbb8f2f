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
  /** What the provider answers with. */
  let answer: () => Promise<JSONWebKeySet> | JSONWebKeySet;
  let asked: number;
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
    asked = 0;
    changes = 0;
    failures = [];
    has('a');
    keys = remoteKeys({
      fetchKeys: async () => {
        asked++;
        return answer();
      },
      now: () => new Date(clock * 1000),
      onChange: () => void changes++,
      onFailure: ({ message }) => void failures.push(message),
    });
  });

  /** Lets the provider have these keys. */
  const has = (...kids: (keyof typeof jwks)[]) => {
    answer = () => ({ keys: kids.map((kid) => jwks[kid]) });
  };
  const isDown = () => {
    answer = () => Promise.reject(new Error('down'));
  };
  /** What is said of a token with this `kid`: `known`, `refused`, or after how many seconds to come again. */
  const outcome = async (kid: string | undefined, alg = 'ES256') => {
    const error = await refusalOf(keys.keyFor({ alg, ...(kid !== undefined && { kid }) }));
    if (error === undefined) return 'known';
    if (error instanceof InvalidToken) return 'refused';
    return error instanceof ProviderUnavailable ? error.retryAfterSeconds : error;
  };

  it('are not asked for before they are needed, and then once', async () => {
    expect(asked).to.equal(0);
    expect(await Promise.all(Array.from({ length: 20 }, () => outcome('a')))).to.deep.equal(
      Array.from({ length: 20 }, () => 'known'),
    );
    expect(await outcome('a')).to.equal('known');
    expect([asked, changes]).to.deep.equal([1, 0]);
  });

  it('are asked for once more where one is unknown, and not again for ten seconds', async () => {
    expect(await outcome('a')).to.equal('known');
    clock += 60;
    has('a', 'b');
    expect(await Promise.all(['b', 'b', 'c', 'a'].map((kid) => outcome(kid)))).to.deep.equal([
      'known',
      'known',
      'refused',
      'known',
    ]);
    expect([asked, changes]).to.deep.equal([2, 1]);
    has('a', 'b', 'c');
    clock += 9;
    expect(await outcome('c')).to.equal(1);
    clock++;
    expect(await outcome('c')).to.equal('known');
    expect([asked, changes]).to.deep.equal([3, 2]);
  });

  it('cannot be asked for more often by strangers with keys of their own invention', async () => {
    for (let index = 0; index < 1000; index++) {
      expect(await outcome(`made-up-${index}`)).to.satisfy(
        (said: unknown) => said === 'refused' || Number(said) <= 10,
      );
      clock += 0.1;
    }
    // A hundred seconds have gone by.
    expect(asked).to.be.within(10, 11);
  });

  it('are not said to be missing once the last asking is a while ago and the next is not due', async () => {
    expect(await outcome('a')).to.equal('known');
    expect(await outcome('b')).to.equal('refused');
    has('a', 'b');
    clock += 1;
    expect(await outcome('b')).to.equal(9);
    clock += 8.5;
    expect([await outcome('b'), await outcome('a'), asked]).to.deep.equal([1, 'known', 1]);
    clock += 0.5;
    expect(await outcome('b')).to.equal('known');
    expect(failures).to.deep.equal([]);
  });

  it('go on working while the provider is down, however old, and only a missing one is 503', async () => {
    expect(await outcome('a')).to.equal('known');
    isDown();
    for (const age of [60, 3600, 86_400]) {
      clock += age;
      expect(await outcome('a')).to.equal('known');
      expect(await outcome('b')).to.equal(10);
    }
    clock += 3;
    expect(await outcome('b')).to.equal(7);
    has('a', 'b');
    expect(await outcome('b')).to.equal(7);
    clock += 7;
    expect(await outcome('b')).to.equal('known');
    expect(failures).to.deep.equal(['down', 'down', 'down']);
  });

  it('are missing as long as the provider was never there, and it is asked every ten seconds', async () => {
    isDown();
    expect(await outcome('a')).to.equal(10);
    clock += 9.5;
    expect(await outcome('a')).to.equal(1);
    expect(asked).to.equal(1);
    clock += 0.5;
    expect(await Promise.all([outcome('a'), outcome('a')])).to.deep.equal([10, 10]);
    expect(asked).to.equal(2);
    clock += 10;
    has('a');
    expect(await outcome('a')).to.equal('known');
  });

  it('are renewed behind the back of those who use them, from five minutes on', async () => {
    await outcome('a');
    clock += 299;
    await outcome('a');
    expect(asked).to.equal(1);
    let release = () => {};
    answer = () => new Promise((resolve) => (release = () => resolve({ keys: [jwks.b] })));
    clock += 1;
    expect(await outcome('a')).to.equal('known');
    expect(asked).to.equal(2);
    release();
    while (changes === 0) await new Promise(setImmediate);
    expect(await outcome('a')).to.equal('refused');
    expect(await outcome('b')).to.equal('known');
    expect(asked).to.equal(2);
  });

  it('are waited for from ten minutes on, so that one that was withdrawn is not used', async () => {
    await outcome('a');
    has('b');
    clock += 600;
    expect(await outcome('a')).to.equal('refused');
    await outcome('b');
    clock += 86_400;
    has('c');
    await keys.keepFresh();
    expect(changes).to.equal(2);
  });

  it('are no younger after the clock was set back', async () => {
    await outcome('a');
    clock -= 86_400;
    has('b');
    expect(await outcome('b')).to.equal('known');
  });

  it('have not changed when the provider says the same again', async () => {
    await outcome('a');
    clock += 700;
    await outcome('a');
    expect([asked, changes]).to.deep.equal([2, 0]);
  });

  it('are the ones of before where the provider answers with nonsense', async () => {
    await outcome('a');
    for (const nonsense of [null, 42, [], {}, { keys: {} }, { keys: [1] }, { keys: ['a'] }]) {
      answer = () => nonsense as unknown as JSONWebKeySet;
      clock += 700;
      await keys.keepFresh();
      clock += 10;
      expect(await outcome('a')).to.equal('known');
      expect(await outcome('b')).to.equal(10);
    }
    expect(changes).to.equal(0);
  });

  it('are none where the provider has none', async () => {
    await outcome('a');
    answer = () => ({ keys: [] });
    clock += 700;
    expect(await outcome('a')).to.equal('refused');
  });

  it('fit only the algorithm that they are for', async () => {
    const { publicKey } = await generateKeyPair('RS256', { extractable: true });
    const rsa = await exportJWK(publicKey);
    answer = () => ({
      keys: [
        { ...rsa, kid: 'rsa' },
        { ...rsa, kid: 'only-ps', alg: 'PS256' },
        { ...rsa, kid: 'encryption', use: 'enc' },
        { kty: 'oct', k: 'c2VjcmV0', kid: 'secret' },
        jwks.a,
      ],
    });
    expect(await outcome('rsa', 'RS256')).to.equal('known');
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
      const error = await refusalOf(keys.keyFor({ alg, kid }));
      expect(error, `${kid} ${alg}`).to.be.instanceOf(Error);
    }
  });

  it('may do without a kid where only one fits', async () => {
    expect(await outcome(undefined)).to.equal('known');
    has('a', 'b');
    clock += 700;
    expect(await outcome(undefined)).to.be.instanceOf(Error);
  });
});
