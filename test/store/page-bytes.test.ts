import { expect } from 'chai';
import { PAGE_BYTES, shortText } from '../../src/store/page-bytes.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';

/** Each prints as more characters, for its bytes, than any other number that JavaScript has. */
const SMALLEST = Number.MIN_VALUE;

describe('the text of JSON on a page that is not measured', () => {
  let database: TestDatabase;

  before(async () => {
    database = await createEmptyDatabase();
    await database.query('create table texts (value jsonb)');
  });

  after(() => database.drop());

  const read = async (value: string | null, size: number) => {
    await database.query('truncate texts');
    await database.query('insert into texts values ($1)', [value]);
    const [row] = await database.query<{ text: string | null; printed: string | null }>(
      `select ${shortText('texts.value', size)} as text, value::text as printed from texts`,
    );
    return row;
  };

  for (const [title, value] of [
    ['nothing', null],
    ['an empty object', '{}'],
    ['a short text', '{"theme":"dark"}'],
  ] as const)
    it(`is there: ${title}`, async () => {
      const row = await read(value, 51);
      expect(row?.text).to.equal(row?.printed);
    });

  it('is never longer than its part of the page, of whatever numbers it consists', async () => {
    for (const size of [2, 51, 201, 1_001]) {
      const limit = Math.floor(PAGE_BYTES / size);
      const lengths = new Set<boolean>();
      // Around the size below which it is not printed to be measured, and around its part of the page.
      for (const share of [0.5, 0.9, 1, 1.1, 2])
        for (const characters of [limit / 32, (limit * 12) / 330]) {
          const count = Math.max(1, Math.floor((characters * share) / 12));
          const row = await read(JSON.stringify(Array(count).fill(SMALLEST)), size);
          const isLong = (row?.printed?.length ?? 0) > limit;
          expect(row?.text, `${count} numbers, ${size} rows`).to.equal(isLong ? '' : row?.printed);
          lengths.add(isLong);
        }
      expect([...lengths]).to.have.members([false, true]);
    }
  });

  it('is left out where it is long, although PostgreSQL stores it in a few bytes', async () => {
    const row = await read(JSON.stringify({ note: 'x'.repeat(30_000) }), 51);
    expect(row?.printed).to.have.lengthOf.above(30_000);
    expect(row?.text).to.equal('');
  });
});
