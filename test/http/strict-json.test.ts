import { expect } from 'chai';
import { DuplicateName, findDuplicateName, parseStrictJson } from '../../src/domain/strict-json.ts';

describe('a duplicate name', () => {
  const cases: [json: string, path: string | undefined][] = [
    ['{"a":1,"a":2}', 'a'],
    ['{"a":{"b":1,"c":[{"d":1,"\\u0064":2}]}}', 'a.c.d'],
    ['{"":1,"":2}', ''],
    ['{"__proto__":1,"__proto__":2}', '__proto__'],
    ['{"a":{"a":1},"b":["a","a",{"a":1},{"a":2}],"c":"a"}', undefined],
    ['{"a":"b","b":"a"}', undefined],
    ['["a","a"]', undefined],
    ['"a"', undefined],
    ['{}', undefined],
    ['{"a:b":"\\"c\\":1","d\\\\":{"e":":"}}', undefined],
    ['{"a:b":"\\"c\\\\","a:b":[]}', 'a:b'],
  ];
  for (const [json, path] of cases) {
    it(`is ${path === undefined ? 'not found' : `found at "${path}"`} in ${json}`, () => {
      expect(findDuplicateName(json)?.path).to.equal(path);
      if (path === undefined) expect(parseStrictJson(json)).to.deep.equal(JSON.parse(json));
      else expect(() => parseStrictJson(json)).to.throw(DuplicateName);
    });
  }

  it('is found in JSON of any depth', () => {
    const depth = 50_000;
    expect(findDuplicateName('['.repeat(depth) + ']'.repeat(depth))).to.equal(undefined);
    const nested = '{"a":'.repeat(depth);
    expect(findDuplicateName(`${nested}{"b":1,"b":2}${'}'.repeat(depth)}`)?.path.endsWith('.b')).to.equal(
      true,
    );
  });
});
