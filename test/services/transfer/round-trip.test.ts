import { Readable } from 'node:stream';
import { expect } from 'chai';
import fc from 'fast-check';
import { COMMAND_LINE } from '../../../src/domain/author.ts';
import { fields } from '../../../src/services/accounts/fields.ts';
import type { AccountView } from '../../../src/services/accounts/view.ts';
import { exportAccounts } from '../../../src/services/transfer/export.ts';
import { cellOf, cellsOf, masked, unmasked } from '../../../src/services/transfer/formats/cells.ts';
import { csv } from '../../../src/services/transfer/formats/csv.ts';
import {
  type Line,
  SEPARATOR_NAMES,
  SEPARATORS,
  type WriteOptions,
} from '../../../src/services/transfer/formats/format.ts';
import { type ImportOptions, importAccounts } from '../../../src/services/transfer/import.ts';
import { primaryReader } from '../../../src/store/replicas/reader.ts';
import { accountsIn } from '../../support/accounts.ts';
import { testStore } from '../../support/store.ts';

/** What CSV, spreadsheets and the export itself give a meaning to. */
const PIECES = [
  '=',
  '+',
  '-',
  '@',
  '＝',
  '＠',
  "'",
  "''",
  '"',
  '""',
  ',',
  ';',
  '\t',
  '\n',
  '\r',
  '\r\n',
  '\\N',
  '\\',
  ' ',
  '\u00A0',
  'sep=;',
  '=1+1',
  ',=1',
  ";'=1",
  'ä',
  'a\u0308',
  '😀',
  'שלום',
  'مرحبا',
  '\uFEFF',
  'null',
  '0012',
  'x',
];

/** Texts out of these pieces. */
const text = fc.array(fc.constantFrom(...PIECES), { maxLength: 6 }).map((pieces) => pieces.join(''));

/** Names that an account may have, among them none. */
const name = text.map((given) => (fields.name.safeParse(given).success ? given : null));

const options = fc.record({ separator: fc.constantFrom(...SEPARATOR_NAMES), bom: fc.boolean() });

const RULES = { maxBytes: 16_384, faults: () => [] };

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function linesOf(bytes: Buffer, size = bytes.length): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const line of csv.read(inChunks(bytes, size))) lines.push(line);
  return lines;
}

describe('a CSV file', () => {
  it('has every text as one cell that begins no formula at any separator, and gives it back', () => {
    fc.assert(
      fc.property(text, fc.constantFrom(...Object.values(SEPARATORS)), (given, separator) => {
        const cell = cellOf(given);
        expect(cellsOf(`${cell}${separator}${cell}`, separator)?.map(unmasked)).to.deep.equal([given, given]);
        // A reader with another separator, or without quotes, splits it wherever it likes.
        for (const part of masked(given).split(/[,;\t\r\n]/)) expect(part).not.to.match(/^[=+\-@＝＋－＠]/);
      }),
      { numRuns: 2_000 },
    );
  });

  it('masks a formula once: one that was masked already comes back as it was', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 5 }), (given, rounds) => {
        let cell = given;
        for (let round = 0; round < rounds; round++) cell = masked(cell);
        for (let round = 0; round < rounds; round++) cell = unmasked(cell);
        expect(cell).to.equal(given);
        expect(unmasked(masked(unmasked(masked(given))))).to.equal(given);
      }),
      { numRuns: 2_000 },
    );
  });

  it('reads the same in chunks of any size', async () => {
    const account = fc.record({ name, preferences: fc.dictionary(text, text, { maxKeys: 2 }) });
    const files = fc.tuple(fc.array(account, { maxLength: 4 }), options, fc.integer({ min: 1, max: 7 }));
    await fc.assert(
      fc.asyncProperty(files, async ([accounts, writing, size]) => {
        const { head, write } = csv.writer(writing);
        const rows = accounts.map((values, id) =>
          write({ id, email: `p${id}@example.com`, ...values } as unknown as AccountView),
        );
        const bytes = Buffer.from(head + rows.join(''));
        const whole = await linesOf(bytes);
        expect(whole).to.have.length(accounts.length + 1);
        expect(await linesOf(bytes, size)).to.deep.equal(whole);
      }),
      { numRuns: 300 },
    );
  });

  describe('of an export', () => {
    const store = testStore();

    const written = (writing: WriteOptions) =>
      store.as(COMMAND_LINE)(
        async ({ em }) =>
          (await Readable.from(exportAccounts(primaryReader(em), csv, writing)).toArray()).join(''),
        {
          readOnly: true,
        },
      );

    it('is handed on by the megabyte, however long the accounts are', async () => {
      await store.database.query(
        `insert into users (email, preferences) select n || '@example.com', jsonb_build_object('a', repeat('x', 16000)) from generate_series(1, 600) as n`,
      );
      const pieces: string[] = await store.as(COMMAND_LINE)(
        ({ em }) => Readable.from(exportAccounts(primaryReader(em), csv, {})).toArray(),
        { readOnly: true },
      );
      expect(Math.max(...pieces.map(({ length }) => length))).to.be.below(1.1 * 1024 * 1024);
      expect(pieces).to.have.length.below(20);
      expect(pieces.join('')).to.have.length.above(600 * 16_000);
    });

    const read = (file: string, mode: ImportOptions['mode']) =>
      store.as(COMMAND_LINE)(
        (unit) =>
          importAccounts(unit, csv.read(inChunks(Buffer.from(file), 1_000)), {
            mode,
            partial: false,
            rules: RULES,
          }),
        { replays: false },
      );
    const values = async () =>
      (await accountsIn(store.database)).map(
        ({ email, name, role, storage_mode, preferences, status, created_at }) => ({
          email,
          name,
          role,
          storage_mode,
          preferences: preferences ?? {},
          status,
          created_at,
        }),
      );

    it('restores every account in another database, and changes none of its own', async () => {
      const account = fc.record({
        name,
        role: fc.constantFrom('user', 'admin'),
        status: fc.constantFrom('active', 'suspended'),
        mode: fc.constantFrom('local', 'account'),
        preferences: fc.dictionary(
          text.filter((key) => key !== ''),
          text,
          { maxKeys: 3 },
        ),
        age: fc.integer({ min: 0, max: 50 * 365 * 86_400_000 }),
        local: fc.constantFrom('p', '=p', '+p', '-p', "'p", "'=p"),
      });
      const files = fc.tuple(fc.array(account, { minLength: 1, maxLength: 60 }), options);
      await fc.assert(
        fc.asyncProperty(files, async ([accounts, writing]) => {
          await store.database.query('truncate users restart identity cascade');
          for (const [at, { name, role, status, mode, preferences, age, local }] of accounts.entries()) {
            await store.database.query(
              `insert into users (email, name, role, status, storage_mode, preferences, created_at)
               values ($1, $2, $3, $4, $5, $6, to_timestamp($7::bigint / 1000.0))`,
              [`${local}${at}@example.com`, name, role, status, mode, preferences, age],
            );
          }
          const before = await values();
          const file = await written(writing);
          expect(await read(file, 'upsert')).to.include({ unchanged: accounts.length, failed: 0 });
          expect(await written(writing)).to.equal(file);

          await store.database.query('truncate users restart identity cascade');
          expect(await read(file, 'create')).to.include({ created: accounts.length, failed: 0 });
          expect(await values()).to.deep.equal(before);
          // All but the times of the last change is the same, without one more apostrophe.
          const withoutTimes = (csvText: string) => csvText.replace(/[^,;\t]+Z((?:[,;\t]\\N){2}\r\n)/g, '$1');
          expect(withoutTimes(await written(writing))).to.equal(withoutTimes(file));
        }),
        { numRuns: 15 },
      );
    });
  });
});
