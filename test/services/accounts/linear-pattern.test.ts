import { expect } from 'chai';
import fc from 'fast-check';
import { linearPattern, NotLinear } from '../../../src/services/accounts/linear-pattern.ts';

const PATTERNS = [
  '^[a-z0-9_-]{1,64}$',
  '^#[0-9a-f]{6}$',
  '\\bfoo\\B',
  '(?<name>a)(?:b|)*',
  '.',
  '\\s',
  '[^\\s]',
  '\\S\\d\\D\\w\\W',
  '[\\w.-]+@',
  '\\p{Letter}',
  '\\P{Script=Greek}',
  '^\\p{L}\\p{M}*$',
  '[]',
  '[^]',
  '[[a&&]',
  '[^\\]\\n]',
  '\\[\\\\\\(\\?\\/\\$',
  '[\\b]|\\v|\\0|\\cA',
  '\\x41|\\u0041|\\u{1F600}|\\ud83d\\ude00',
  '[\\u{1F600}-\\u{1F64F}]',
  '😀{2}|[é😀]',
];
const UNITS = [
  ...['a', 'b', 'A', 'foo', 'é', 'α', 'я', '😀', '\u0301', '1', '-', '_', '.', '@', '#', 'abcdef'],
  ...[' ', '\n', '\r', '\v', '\b', '\0', '\x01', '\u00a0', '\u2028', '\ufeff'],
  ...['[', ']', '&', '^', '\\', '(', '?', '/', '$', 'ſ', 'K'],
];

describe('a linear pattern', () => {
  for (const source of PATTERNS) {
    it(`matches what JavaScript matches: ${source}`, () => {
      const [linear, native] = [linearPattern(source), new RegExp(source, 'u')];
      fc.assert(
        fc.property(fc.array(fc.constantFrom(...UNITS), { maxLength: 6 }), (units) => {
          const text = units.join('');
          expect(linear.test(text)).to.equal(native.test(text));
        }),
        { numRuns: 500 },
      );
    });
  }

  for (const source of [
    '(?=a)',
    '(?!a)',
    '(?<=a)b',
    '(?<!a)b',
    '(a)\\1',
    '(?<x>a)\\k<x>',
    '(?i:a)',
    'a{1001}',
  ]) {
    it(`is refused where it needs backtracking: ${source}`, () => {
      expect(() => linearPattern(source)).to.throw(NotLinear);
    });
  }

  it('is refused where it is no pattern', () => {
    for (const source of ['(', '[', 'a{2,1}', '\\-', '\\a']) {
      expect(() => linearPattern(source)).to.throw(SyntaxError);
    }
  });
});
