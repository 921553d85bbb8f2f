import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { isServiceToken, mintServiceToken, serviceTokenDigest } from '../../src/security/service-token.ts';

describe('a service token', () => {
  it('is identified by the SHA-256 digest of its full text', () => {
    const { token, digest } = mintServiceToken();
    expect(token).to.match(/^rc_[\w-]{49}$/);
    expect(isServiceToken(token)).to.equal(true);
    expect(digest).to.equal(createHash('sha256').update(token).digest('hex'));
    expect(serviceTokenDigest(token)).to.equal(digest);
  });

  it('is unique', () => {
    expect(new Set(Array.from({ length: 1_000 }, () => mintServiceToken().token)).size).to.equal(1_000);
  });

  it('is invalid if one character changes', () => {
    const { token } = mintServiceToken();
    for (let at = 3; at < token.length; at++) {
      const other = token[at] === 'A' ? 'B' : 'A';
      expect(serviceTokenDigest(token.slice(0, at) + other + token.slice(at + 1)), `at ${at}`).to.equal(
        undefined,
      );
    }
  });

  for (const text of [
    '',
    'rc_',
    'rc_x',
    ` ${mintServiceToken().token}`,
    `${mintServiceToken().token}\n`,
    'eyJ.e30.x',
  ]) {
    it(`does not have the form ${JSON.stringify(text)}`, () => {
      expect(serviceTokenDigest(text)).to.equal(undefined);
    });
  }
});
