import { expect } from 'chai';
import { cursorCodec } from '../../src/security/cursor.ts';

const SCOPE = { list: 'users', sort: 'email' };

describe('cursors', () => {
  it('survive secret rotation and are sealed with the newest secret', () => {
    const before = cursorCodec('old');
    const during = cursorCodec('new', 'old');
    const after = cursorCodec('new');
    const [old, recent] = [before.seal(['a', 1], SCOPE), during.seal(['b', 2], SCOPE)];
    expect(during.open(old, SCOPE)).to.deep.equal(['a', 1]);
    expect(during.open(recent, SCOPE)).to.deep.equal(['b', 2]);
    expect(after.open(recent, SCOPE)).to.deep.equal(['b', 2]);
    expect(after.open(old, SCOPE)).to.equal(undefined);
    expect(before.open(recent, SCOPE)).to.equal(undefined);
  });

  it('are valid only for their own scope, with each of the secrets', () => {
    const codec = cursorCodec('3', '2', '1');
    for (const secret of ['1', '2', '3']) {
      const cursor = cursorCodec(secret).seal(['a'], SCOPE);
      expect(codec.open(cursor, SCOPE)).to.deep.equal(['a']);
      expect(codec.open(cursor, { ...SCOPE, sort: '-email' })).to.equal(undefined);
    }
    expect(codec.open(cursorCodec('4').seal(['a'], SCOPE), SCOPE)).to.equal(undefined);
  });
});
