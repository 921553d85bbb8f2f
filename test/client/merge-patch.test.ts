import { expect } from 'chai';
import {
  composed,
  isSame,
  type Json,
  merged,
  patchAt,
  patchBetween,
  valueAt,
  without,
} from '../../src/client/merge-patch.ts';

/** As it comes from the service, where any name may be one of a preference. */
const json = (text: string) => JSON.parse(text) as Json;
const text = (value: unknown) => JSON.stringify(value);

describe('merge patches of the client', () => {
  const none = json('{}');

  it('keep names that objects inherit', () => {
    const hostile = json('{"__proto__":{"theme":"dark"},"constructor":"x","toString":null,"a":1}');
    expect(text(merged(none, hostile))).to.equal('{"__proto__":{"theme":"dark"},"constructor":"x","a":1}');
    expect(text(merged(hostile, json('{"__proto__":{"theme":null,"size":2},"constructor":null}')))).to.equal(
      '{"__proto__":{"size":2},"toString":null,"a":1}',
    );
    expect(text(composed(json('{"__proto__":{"a":1}}'), json('{"__proto__":{"b":2},"valueOf":3}')))).to.equal(
      '{"__proto__":{"a":1,"b":2},"valueOf":3}',
    );
    expect(text(patchAt(['__proto__', 'constructor'], 1))).to.equal('{"__proto__":{"constructor":1}}');
    expect(({} as { theme?: string }).theme).to.equal(undefined);
  });

  it('find nothing that objects inherit', () => {
    const hostile = json('{"__proto__":{"a":1},"constructor":{"b":1}}');
    expect(text(patchBetween(none, hostile))).to.equal(text(hostile));
    expect(text(patchBetween(hostile, none))).to.equal('{"__proto__":null,"constructor":null}');
    expect(text(patchBetween(hostile, hostile))).to.equal('{}');
    expect(text(without(hostile, none))).to.equal(text(hostile));
    expect(text(without(hostile, json('{"__proto__":{"a":1}}')))).to.equal('{"constructor":{"b":1}}');
    expect(valueAt(none, ['constructor', 'name'])).to.equal(undefined);
    expect(valueAt(hostile, ['__proto__', 'a'])).to.equal(1);
    expect(isSame(json('{"constructor":{}}'), json('{"toString":{}}'))).to.equal(false);
    expect(isSame(json('{"__proto__":1,"a":[{}]}'), json('{"a":[{}],"__proto__":1}'))).to.equal(true);
  });

  it('lead from one value to the other, and what both say needs none', () => {
    const values = [
      '{}',
      '{"a":1}',
      '{"a":{"b":[1,{"c":2}],"__proto__":{"d":1}},"constructor":0}',
      '{"a":{"b":[1],"__proto__":{}},"x":"y"}',
      '{"__proto__":{"a":{}}}',
    ].map(json);
    for (const from of values) {
      for (const to of values) {
        const patch = patchBetween(from, to);
        expect(isSame(merged(from, patch), to), `${text(from)} to ${text(to)} by ${text(patch)}`).to.equal(
          true,
        );
        expect(text(without(patch, patch))).to.equal('{}');
      }
    }
  });
});
