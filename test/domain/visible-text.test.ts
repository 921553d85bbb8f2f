import { expect } from 'chai';
import { hasInvisible, hasStrayInvisible, isVisible } from '../../src/domain/visible-text.ts';

/** Blank or invisible, each by another category: separators, controls, formats, marks, letters and a symbol. */
const NOTHING = [' ', '\t', '\n', '\0', '\u00a0', '\u3000', '\u200b', '\u200d', '\u2060', '\u00ad', '\u034f'];
const MORE_NOTHING = [
  '\u115f',
  '\u3164',
  '\uffa0',
  '\u2800',
  '\ufe0f',
  '\u{e0100}',
  '\u{e0041}',
  '\u202e',
  '',
];

describe('visible text', () => {
  it('is not made of blanks and invisible characters', () => {
    const all = [...NOTHING, ...MORE_NOTHING];
    for (const text of [...all, all.join('')]) expect(isVisible(text), JSON.stringify(text)).to.equal(false);
    for (const text of ['a', ' .', '👩', '\u0301', '名', '\u200dع']) {
      expect(isVisible(text), JSON.stringify(text)).to.equal(true);
    }
  });

  it('may have in the name of a person what its script needs, and nothing that hides', () => {
    const names = [
      'Ada Lovelace',
      'محمد\u200cرضا',
      'ශ්\u200dරී',
      '葛\u{e0100}城',
      '\u200fדוד\u200f',
      '👩\u200d🚀❤\ufe0f',
      'Ada\nLovelace',
    ];
    for (const name of names) expect(hasStrayInvisible(name), JSON.stringify(name)).to.equal(false);
    for (const name of ['A\u200bda', 'A\u202eda', 'Ada\u3164', 'A\u2800da', 'A\u0007da', 'A\u00adda']) {
      expect(hasStrayInvisible(name), JSON.stringify(name)).to.equal(true);
      expect(hasInvisible(name) || /\p{Cc}/u.test(name)).to.equal(true);
    }
  });
});
