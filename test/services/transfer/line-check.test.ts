import { expect } from 'chai';
import fc from 'fast-check';
import { isEmail, isPlainEmail, normalizeEmail } from '../../../src/domain/email.ts';
import { acceptEmail, SHOWN_FIELDS } from '../../../src/domain/user.ts';
import { checkLine, fieldsBySchema, plainFieldsOf } from '../../../src/services/transfer/line-check.ts';

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '',
    ' ',
    'Ada',
    'Zoë',
    '\u202Ex',
    '\u3164',
    '\uD800',
    'x\0y',
    'a'.repeat(255),
    '😀'.repeat(255),
  ),
);
const value = fc.oneof(
  text,
  fc.constantFrom(null, 1, true, [], {}, 'user', 'admin', 'active', 'suspended', 'local', 'account'),
  fc.constantFrom(
    '2026-01-31',
    '2026-01-31T12:00:00Z',
    '2020-02-30',
    '1969-01-01',
    '2999-01-01',
    ' 2020-01-01 ',
  ),
  fc.jsonValue(),
);
const field = fc.constantFrom(...SHOWN_FIELDS, 'colour', '__proto__');
const email = fc.oneof(
  fc.emailAddress(),
  text,
  fc.constantFrom(
    'a@b.example',
    'A@b.example',
    'a@xn--mller-kva.example',
    'a@b-.example',
    'a..b@c.example',
    '.a@b.example',
  ),
);

describe('the check of a line of an import', () => {
  it('finds without the schema what the schema finds, or leaves the line to it', () => {
    fc.assert(
      fc.property(email, fc.array(fc.tuple(field, value)), (address, others) => {
        const line = JSON.parse(JSON.stringify({ email: address }));
        for (const [name, content] of others) {
          Object.defineProperty(line, name, { value: content, enumerable: true, configurable: true });
        }
        const plain = plainFieldsOf(line);
        if (plain === undefined) return;
        const bySchema = fieldsBySchema(line);
        expect(bySchema.success, JSON.stringify(line)).to.equal(true);
        expect(plain).to.deep.equal(bySchema.data);
      }),
      { numRuns: 2_000 },
    );
  });

  it('takes for plain only emails that are their own canonical form', () => {
    fc.assert(
      fc.property(email, (address) => {
        if (!isPlainEmail(address)) return;
        expect(normalizeEmail(address)).to.equal(address);
        expect(isEmail(address)).to.equal(true);
        expect(acceptEmail(address)).to.equal(address);
      }),
      { numRuns: 2_000 },
    );
    for (const plain of ['ada@example.com', "o'hara+x@mail.example.co.uk", '1@2.3']) {
      expect(isPlainEmail(plain), plain).to.equal(true);
    }
    for (const other of [
      'Ada@example.com',
      'ä@example.com',
      ' a@b.example',
      'a@xn--mller-kva.example',
      'a@b',
      'a@b.',
    ]) {
      expect(isPlainEmail(other), other).to.equal(false);
    }
  });

  it('passes over what an export has and nobody sets, and keeps the rest as it is', () => {
    const line = {
      id: 7,
      version: 3,
      updatedAt: 'x',
      lastSeenAt: null,
      createdAt: '2026-01-31',
      roleUntil: null,
    };
    const checked = checkLine(5, { ...line, email: 'a@example.com', name: null }, { maxBytes: 100 });
    expect(checked).to.deep.equal({
      number: 5,
      email: 'a@example.com',
      createdAt: '2026-01-31T00:00:00.000Z',
      values: { name: null, roleUntil: null, preferences: undefined },
    });
  });

  it('says what is wrong with a line by the schema', () => {
    const wrong = checkLine(1, { email: 'a@example.com', name: '', colour: 1 }, { maxBytes: 100 });
    const paths = 'faults' in wrong ? wrong.faults.map(({ path }) => path) : [];
    expect([...new Set(paths)]).to.deep.equal(['name', 'colour']);
    for (const content of [null, [], 'x', 1]) {
      expect(checkLine(1, content, { maxBytes: 100 }))
        .to.have.property('faults')
        .with.length(1);
    }
  });
});
