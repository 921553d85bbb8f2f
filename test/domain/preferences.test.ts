import { expect } from 'chai';
import { checkPreferences, mergePatch } from '../../src/domain/preferences.ts';
import { Refusal } from '../../src/domain/refusal.ts';

describe('a merge patch', () => {
  // RFC 7396, appendix A: original, patch, result.
  const examples: [original: unknown, patch: unknown, result: unknown][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [original, patch, result] of examples) {
    it(`turns ${JSON.stringify(original)} into ${JSON.stringify(result)} with ${JSON.stringify(patch)}`, () => {
      const before = structuredClone([original, patch]);
      expect(mergePatch(original, patch)).to.deep.equal(result);
      expect([original, patch]).to.deep.equal(before);
    });
  }

  it('treats prototype names as plain keys', () => {
    const patch = JSON.parse('{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}');
    const merged = mergePatch({}, patch) as object;
    expect(Object.getPrototypeOf(merged)).to.equal(Object.prototype);
    expect(Object.keys(merged)).to.deep.equal(['__proto__', 'constructor']);
    expect(({} as { admin?: boolean }).admin).to.equal(undefined);
  });
});

describe('preferences', () => {
  const faults = (preferences: unknown, maxBytes = 16_384) => {
    try {
      checkPreferences(preferences, { maxBytes });
      return [];
    } catch (error) {
      return (error as Refusal).errors?.map(({ path }) => path);
    }
  };
  const nested = (depth: number): object => (depth === 1 ? {} : { a: nested(depth - 1) });

  const valid = [
    {},
    { a: [null] },
    { constructor: 1, prototype: 2, toString: 3 },
    { 'é💚': '💚' },
    nested(16),
  ];
  for (const preferences of valid) {
    it(`can be ${JSON.stringify(preferences)}`, () => {
      expect(checkPreferences(preferences, { maxBytes: 16_384 })).to.deep.equal(preferences);
    });
  }

  it('drop nulls outside of lists: null means not set', () => {
    expect(checkPreferences({ a: null, b: { c: null, d: [null] } }, { maxBytes: 16_384 })).to.deep.equal({
      b: { d: [null] },
    });
  });

  const invalid: [what: string, preferences: unknown, paths: string[]][] = [
    ['a list at the top level', [1], ['preferences']],
    ['null at the top level', null, ['preferences']],
    ['a NUL', { a: ['x\0'] }, ['preferences.a.0']],
    ['a NUL in a key', { 'a\0': 1 }, ['preferences']],
    ['half a surrogate pair', { a: '\ud83d' }, ['preferences.a']],
    ['half a surrogate pair in a key', { a: { '\udc9a': 1 } }, ['preferences.a']],
    [
      'a number beyond a double',
      JSON.parse('{"a":1e400,"b":[-1e400]}'),
      ['preferences.a', 'preferences.b.0'],
    ],
    ['an integer beyond the safe range', JSON.parse('{"a":12345678901234567890}'), ['preferences.a']],
    ['the key __proto__', JSON.parse('{"a":{"__proto__":1}}'), ['preferences.a.__proto__']],
    ['17 levels of nesting', nested(17), [`preferences${'.a'.repeat(16)}`]],
  ];
  for (const [what, preferences, paths] of invalid) {
    it(`cannot have ${what}`, () => {
      expect(faults(preferences)).to.have.members(paths);
    });
  }

  it('are limited in bytes, not in characters', () => {
    expect(faults({ a: '💚' }, 12)).to.deep.equal([]);
    expect(faults({ a: '💚' }, 11)).to.deep.equal(['preferences']);
  });

  it('are refused, not traversed, when nested too deeply', () => {
    expect(faults(JSON.parse(`{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`))).to.have.length(1);
  });

  it("must satisfy the operator's rules", () => {
    const rules = { maxBytes: 100, faults: () => [{ path: 'preferences.theme', message: 'No.' }] };
    expect(() => checkPreferences({ theme: 1 }, rules))
      .to.throw(Refusal)
      .with.property('errors')
      .deep.equal([{ path: 'preferences.theme', message: 'No.' }]);
  });
});
