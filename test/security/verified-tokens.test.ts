import { expect } from 'chai';
import { InvalidToken } from '../../src/security/token.ts';
import { type Verified, verifiedTokens } from '../../src/security/verified-tokens.ts';
import { refusalOf } from '../support/problem.ts';

/** The start of the test clock, in seconds since 1970. */
const NOW = 1_700_000_000;

const ADA = {
  email: 'ada@example.com',
  issuer: 'https://id.example.com',
  subject: '1',
  emailVerified: true,
};

describe('verified tokens', () => {
  let seconds: number;
  let checks: string[];
  /** The result of the check. */
  let found: Verified;
  /** Runs during the check. */
  let duringCheck: () => Promise<void> | void;

  beforeEach(() => {
    seconds = NOW;
    checks = [];
    found = { identity: ADA, validity: { exp: NOW + 60, nbf: 0 } };
    duringCheck = () => undefined;
  });

  const createCache = () =>
    verifiedTokens(
      async (token) => {
        checks.push(token);
        await duringCheck();
        if (token === 'bad') throw new InvalidToken('bad');
        return found;
      },
      () => new Date(seconds * 1000),
    );

  it('are checked only once', async () => {
    const tokens = createCache();
    for (let time = 0; time < 100; time++) {
      expect(await tokens.identify('a')).to.equal(ADA);
    }
    await tokens.identify('b');
    await tokens.identify('a');
    expect(checks).to.deep.equal(['a', 'b']);
  });

  it('are checked again when they expire, with the tolerance of the check', async () => {
    const tokens = createCache();
    await tokens.identify('a');
    seconds = NOW + 74;
    await tokens.identify('a');
    expect(checks).to.have.lengthOf(1);
    seconds = NOW + 75;
    await tokens.identify('a');
    expect(checks).to.have.lengthOf(2);
  });

  it('are checked again if the clock was set back before their nbf', async () => {
    found = { ...found, validity: { exp: NOW + 60, nbf: NOW } };
    const tokens = createCache();
    await tokens.identify('a');
    seconds = NOW - 15;
    await tokens.identify('a');
    expect(checks).to.have.lengthOf(1);
    seconds = NOW - 16;
    await tokens.identify('a');
    expect(checks).to.have.lengthOf(2);
  });

  it('do not include refused tokens, which are checked each time', async () => {
    const tokens = createCache();
    for (let time = 0; time < 3; time++) {
      expect(await refusalOf(tokens.identify('bad'))).to.be.instanceOf(InvalidToken);
    }
    expect(checks).to.have.lengthOf(3);
  });

  it('are forgotten when keys change, also during their check', async () => {
    const tokens = createCache();
    await tokens.identify('a');
    tokens.forget();
    await tokens.identify('a');
    expect(checks).to.have.lengthOf(2);

    duringCheck = () => tokens.forget();
    await tokens.identify('b');
    duringCheck = () => undefined;
    await tokens.identify('b');
    await tokens.identify('b');
    expect(checks).to.deep.equal(['a', 'a', 'b', 'b']);
  });

  it('refresh the keys of their source first, which may empty the cache', async () => {
    const tokens = createCache();
    let asked = 0;
    found = { ...found, keepFresh: async () => void asked++ };
    await tokens.identify('a');
    await tokens.identify('a');
    expect([asked, checks.length]).to.deep.equal([1, 1]);
    found = { ...found, keepFresh: async () => tokens.forget() };
    await tokens.identify('b');
    await tokens.identify('b');
    expect(checks).to.deep.equal(['a', 'b', 'b']);
  });

  it('are bounded: the least recently used are evicted first', async () => {
    const tokens = createCache();
    found = { ...found, identity: { ...ADA, subject: 'x'.repeat(4000) } };
    await tokens.identify('used');
    for (let index = 0; index < 3000; index++) {
      await tokens.identify(`${index}`);
      await tokens.identify('used');
    }
    const before = checks.length;
    expect(before).to.equal(3001);
    await tokens.identify('used');
    await tokens.identify('2999');
    expect(checks).to.have.lengthOf(before);
    await tokens.identify('0');
    expect(checks).to.have.lengthOf(before + 1);
  });
});
