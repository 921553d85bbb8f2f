import { expect } from 'chai';
import fc from 'fast-check';
import { type AccountState, creation, difference } from '../../src/domain/change.ts';
import { indexNames, marksAbove } from '../../src/domain/field-index.ts';

const EMPTY: AccountState = {
  email: 'ada@example.com',
  name: null,
  role: 'user',
  status: 'active',
  storageMode: 'local',
  preferences: {},
};

const update = (preferences: AccountState['preferences']) => {
  const found = difference(EMPTY, { ...EMPTY, name: 'Ada', preferences });
  if (found === undefined) throw new Error('These preferences change nothing.');
  return found;
};

const keys = (count: number, value: unknown = 1) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, value]));

describe('the index of a change by its fields', () => {
  it('has every field and path of an update with at most 64, and the paths of a creation', () => {
    const change = update(keys(62));
    expect(change.fields).to.have.length(64);
    expect(indexNames(change)).to.deep.equal(change.fields);
    expect(indexNames(creation({ ...EMPTY, preferences: keys(64) }))).to.deep.equal(
      Object.keys(keys(64)).map((key) => `preferences.${key}`),
    );
  });

  it('has the upper levels where there are more, and marks what is below them', () => {
    expect(indexNames(update(keys(63)))).to.deep.equal(['name', 'preferences', '*preferences']);
    expect(indexNames(update({ theme: 'dark', editor: keys(100), list: [1] }))).to.have.members([
      ...['name', 'preferences', 'preferences.theme', 'preferences.editor', 'preferences.list'],
      '*preferences.editor',
    ]);
    expect(indexNames(creation({ ...EMPTY, preferences: keys(65) }))).to.deep.equal(['*preferences']);
  });

  it('has at most 64 names and leads to every path, whatever the preferences', () => {
    const key = fc.oneof(
      fc.constantFrom('a', 'b', 'a.b', '.', '', '*', 'a.'),
      fc.string({ maxLength: 3 }),
      fc.nat({ max: 200 }).map(String),
    );
    const { node } = fc.letrec((tie) => ({
      node: fc.oneof({ maxDepth: 5 }, fc.constant(1), fc.dictionary(key, tie('node'), { maxKeys: 60 })),
    }));
    const preferences = fc.dictionary(key, node, { minKeys: 1, maxKeys: 100 });
    fc.assert(
      fc.property(preferences, (given) => {
        const change = update(given as AccountState['preferences']);
        const names = new Set(indexNames(change));
        expect(names.size).to.be.at.most(64);
        for (const field of change.fields) {
          expect(
            [field, ...marksAbove(field)].some((name) => names.has(name)),
            field,
          ).to.equal(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});
