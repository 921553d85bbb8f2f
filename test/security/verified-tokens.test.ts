import { expect } from 'chai';
import { InvalidToken } from '../../src/security/token.ts';
import { type Verified, verifiedTokens } from '../../src/security/verified-tokens.ts';
import { refusalOf } from '../support/problem.ts';

/** The moment at which the tests' clock begins, as tokens have it. */
const NOW = 1_700_000_000;

describe('verified tokens', () => {
  let seconds: number;
  let checks: string[];
  /** What the check finds. */
  let found: Verified;
  /** What happens while it looks. */
  let meanwhile: () => Promise<void> | void;

  beforeEach(() => {
    seconds = NOW;
    checks = [];
    found = { identity: { email: 'ada@example.com' }, validity: { exp: NOW + 60, nbf: 0 } };
    meanwhile = () => undefined;
  });

  const remember = () =>
    verifiedTokens(
      async (token) => {
        checks.push(token);
        await meanwhile();
        if (token === 'bad') throw new InvalidToken('bad');
        return found;
      },
      () => new Date(seconds * 1000),
    );

  it('are checked once', async () => {
    const tokens = remember();
    for (let time = 0; time < 100; time++) {
      expect(await tokens.identityOf('a')).to.deep.equal({ email: 'ada@example.com' });
    }
    await tokens.identityOf('b');
    await tokens.identityOf('a');
    expect(checks).to.deep.equal(['a', 'b']);
  });

  it('are checked again as soon as they have expired, by the tolerance of the check itself', async () => {
    const tokens = remember();
    await tokens.identityOf('a');
    seconds = NOW + 74;
    await tokens.identityOf('a');
    expect(checks).to.have.lengthOf(1);
    seconds = NOW + 75;
    await tokens.identityOf('a');
    expect(checks).to.have.lengthOf(2);
  });

  it('are checked again where they have not begun, after the clock was set back', async () => {
    found = { ...found, validity: { exp: NOW + 60, nbf: NOW } };
    const tokens = remember();
    await tokens.identityOf('a');
    seconds = NOW - 15;
    await tokens.identityOf('a');
    expect(checks).to.have.lengthOf(1);
    seconds = NOW - 16;
    await tokens.identityOf('a');
    expect(checks).to.have.lengthOf(2);
  });

  it('are only those that were good: a refused one is checked each time', async () => {
    const tokens = remember();
    for (let time = 0; time < 3; time++) {
      expect(await refusalOf(tokens.identityOf('bad'))).to.be.instanceOf(InvalidToken);
    }
    expect(checks).to.have.lengthOf(3);
  });

  it('are forgotten when keys change, also those that are just being checked', async () => {
    const tokens = remember();
    await tokens.identityOf('a');
    tokens.forget();
    await tokens.identityOf('a');
    expect(checks).to.have.lengthOf(2);

    meanwhile = () => tokens.forget();
    await tokens.identityOf('b');
    meanwhile = () => undefined;
    await tokens.identityOf('b');
    await tokens.identityOf('b');
    expect(checks).to.deep.equal(['a', 'a', 'b', 'b']);
  });

  it('ask their source for fresh keys first, which may have them forgotten', async () => {
    const tokens = remember();
    let asked = 0;
    found = { ...found, keepFresh: async () => void asked++ };
    await tokens.identityOf('a');
    await tokens.identityOf('a');
    expect([asked, checks.length]).to.deep.equal([1, 1]);
    found = { ...found, keepFresh: async () => tokens.forget() };
    await tokens.identityOf('b');
    await tokens.identityOf('b');
    expect(checks).to.deep.equal(['a', 'b', 'b']);
  });

  it('are bounded, the ones that nobody has used for longest going first', async () => {
    const tokens = remember();
    found = { ...found, identity: { email: `${'x'.repeat(4000)}@example.com` } };
    await tokens.identityOf('used');
    for (let index = 0; index < 3000; index++) {
      await tokens.identityOf(`${index}`);
      await tokens.identityOf('used');
    }
    const before = checks.length;
    expect(before).to.equal(3001);
    await tokens.identityOf('used');
    await tokens.identityOf('2999');
    expect(checks).to.have.lengthOf(before);
    await tokens.identityOf('0');
    expect(checks).to.have.lengthOf(before + 1);
  });
});
