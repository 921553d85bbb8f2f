import { expect } from 'chai';
import { parseWebhooks } from '../../config/webhooks.ts';
import {
  ACTIONS,
  creation,
  type Difference,
  deletion,
  difference,
  stateOf,
} from '../../src/domain/change.ts';
import { type Webhook, wants } from '../../src/domain/webhook.ts';

const EMPTY = stateOf({
  email: 'grace@example.com',
  name: null,
  role: 'user',
  status: 'active',
  storageMode: 'local',
  roleUntil: null,
  preferences: {},
});
const preferring = (preferences: Record<string, unknown>) => ({ ...EMPTY, preferences });
const between = (from: object, to: object) =>
  difference(preferring({ ...from }), preferring({ ...to })) as Difference;

describe('the filter of a webhook', () => {
  const promotion = difference(EMPTY, { ...EMPTY, role: 'admin' }) as Difference;
  const table: [what: string, change: Difference, filter: Partial<Webhook>, wanted: boolean][] = [
    ['any change when it is empty', promotion, {}, true],
    ['a listed action', promotion, { actions: ['created', 'updated'] }, true],
    ['an unlisted action', promotion, { actions: ['created', 'deleted'] }, false],
    ['a listed field', promotion, { fields: ['email', 'role'] }, true],
    ['an unlisted field', promotion, { fields: ['email', 'status', 'preferences'] }, false],
    ['a listed field with an unlisted action', promotion, { actions: ['deleted'], fields: ['role'] }, false],
    [
      'a changed path',
      between({ theme: 'dark' }, { theme: 'light' }),
      { fields: ['preferences.theme'] },
      true,
    ],
    ['an added path', between({}, { theme: 'light' }), { fields: ['preferences.theme'] }, true],
    ['a removed path', between({ theme: 'dark' }, {}), { fields: ['preferences.theme'] }, true],
    ['a path within a listed field', between({}, { theme: 'dark' }), { fields: ['preferences'] }, true],
    [
      'a path within a listed path',
      between({ a: { b: { c: 1 } } }, { a: { b: { c: 2 } } }),
      { fields: ['preferences.a.b'] },
      true,
    ],
    [
      'a path within a replaced value',
      between({ a: { b: 1 } }, { a: 7 }),
      { fields: ['preferences.a.b'] },
      true,
    ],
    [
      'a sibling of a listed path',
      between({ a: { b: 1, c: 1 } }, { a: { b: 1, c: 2 } }),
      { fields: ['preferences.a.b'] },
      false,
    ],
    [
      'a path that only shares a prefix',
      between({}, { themes: 1 }),
      { fields: ['preferences.theme'] },
      false,
    ],
    ['a field of a new account', creation(EMPTY), { fields: ['role'] }, true],
    ['a field of a deleted account', deletion(EMPTY), { fields: ['name'] }, true],
    [
      'a path that a new account has',
      creation(preferring({ theme: 'dark' })),
      { fields: ['preferences.theme'] },
      true,
    ],
    ['a path that a new account lacks', creation(EMPTY), { fields: ['preferences.theme'] }, false],
  ];
  for (const [what, change, filter, wanted] of table) {
    it(`${wanted ? 'matches' : 'does not match'} ${what}`, () => {
      expect(wants({ actions: null, fields: null, ...filter }, { ...change, erasedAt: null })).to.equal(
        wanted,
      );
    });
  }

  it('matches an erased change to preferences for any listed preference path', () => {
    const change = { action: 'deleted', fields: ['email', 'preferences'], erasedAt: new Date() } as const;
    expect(wants({ actions: null, fields: ['preferences.theme'] }, change)).to.equal(true);
    expect(wants({ actions: null, fields: ['role'] }, change)).to.equal(false);
  });

  it('can be configured for every action and every field that the history records', () => {
    const fields = Object.keys(EMPTY);
    const secret = `whsec_${Buffer.from('x'.repeat(32)).toString('base64')}`;
    const [hook] = parseWebhooks(
      JSON.stringify([{ url: 'https://a.example', secret, actions: ACTIONS, fields }]),
    ) as Webhook[];
    expect(hook).to.deep.include({ actions: ACTIONS, fields });
  });
});
