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
    it(`makes ${JSON.stringify(result)} of ${JSON.stringify(original)} and ${JSON.stringify(patch)}`, () => {
      const before = structuredClone([original, patch]);
      expect(mergePatch(original, patch)).to.deep.equal(result);
      expect([original, patch]).to.deep.equal(before);
    });
  }

  it('takes the names of prototypes for plain names', () => {
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

  const kept = [
    {},
    { a: [null] },
    { constructor: 1, prototype: 2, toString: 3 },
    { 'é💚': '💚' },
    nested(16),
  ];
  for (const preferences of kept) {
    it(`can be ${JSON.stringify(preferences)}`, () => {
      expect(checkPreferences(preferences, { maxBytes: 16_384 })).to.deep.equal(preferences);
    });
  }

  it('have no null but in lists: it is what is not set', () => {
    expect(checkPreferences({ a: null, b: { c: null, d: [null] } }, { maxBytes: 16_384 })).to.deep.equal({
      b: { d: [null] },
    });
  });

  const refused: [what: string, preferences: unknown, paths: string[]][] = [
    ['no object', [1], ['preferences']],
    ['null', null, ['preferences']],
    ['a NUL', { a: ['x\0'] }, ['preferences.a.0']],
    ['a NUL in a name', { 'a\0': 1 }, ['preferences']],
    ['half of a surrogate pair', { a: '\ud83d' }, ['preferences.a']],
    ['half of a surrogate pair in a name', { a: { '\udc9a': 1 } }, ['preferences.a']],
    [
      'a number beyond a double',
      JSON.parse('{"a":1e400,"b":[-1e400]}'),
      ['preferences.a', 'preferences.b.0'],
    ],
    ['a whole number beyond the exact ones', JSON.parse('{"a":12345678901234567890}'), ['preferences.a']],
    ['the name __proto__', JSON.parse('{"a":{"__proto__":1}}'), ['preferences.a.__proto__']],
    ['17 levels', nested(17), [`preferences${'.a'.repeat(16)}`]],
  ];
  for (const [what, preferences, paths] of refused) {
    it(`cannot be or have ${what}`, () => {
      expect(faults(preferences)).to.have.members(paths);
    });
  }

  it('have a limit in bytes, not in characters', () => {
    expect(faults({ a: '💚' }, 12)).to.deep.equal([]);
    expect(faults({ a: '💚' }, 11)).to.deep.equal(['preferences']);
  });

  it('that are nested without end are refused, not followed', () => {
    expect(faults(JSON.parse(`{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`))).to.have.length(1);
  });

  it('are held to what the operator allows', () => {
    const rules = { maxBytes: 100, faults: () => [{ path: 'preferences.theme', message: 'No.' }] };
    expect(() => checkPreferences({ theme: 1 }, rules))
      .to.throw(Refusal)
      .with.property('errors')
      .deep.equal([{ path: 'preferences.theme', message: 'No.' }]);
  });
});
