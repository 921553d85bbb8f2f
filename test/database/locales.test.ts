import { expect } from 'chai';
import { signHs256 } from '../../src/security/hmac.ts';
import { addAccount } from '../support/accounts.ts';
import { SECRET } from '../support/app.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';
import { mikroOrm } from '../support/mikro-orm.ts';
import { expectProblem } from '../support/problem.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';

const ADMIN = 'info@example.com';

/** The options of `create database`, by what they choose. */
const LOCALES = {
  'the locale of its server': '',
  'the locale C': `locale_provider 'libc' locale 'C'`,
  'an ICU locale of no language': `locale_provider 'icu' icu_locale 'und' locale 'C'`,
  'an ICU locale of Turkish': `locale_provider 'icu' icu_locale 'tr-TR' locale 'C'`,
} as const;

/** Names that are found, each by all of these texts. */
const FOUND = {
  'ÉLODIE Noël': ['élodie', 'Élodie', 'NOËL', 'e\u0301lodie', 'noe\u0308l'],
  'José García': ['josé', 'JOSÉ', 'jose\u0301', 'JOSE\u0301'],
  'Andre\u0301 Decomposed': ['andré', 'ANDRÉ', 'andre\u0301'],
  'IŞIL Irmak': ['ışıl', 'IŞIL', 'irmak', 'ırmak', 'IRMAK'],
  'İbrahim Yıldız': ['ibrahim', 'İBRAHİM', 'IBRAHIM', 'yildiz', 'YILDIZ', 'yıldız'],
  'Ωμέγα Σίσυφος': ['ωμέγα', 'ΩΜΈΓΑ', 'σίσυφοσ', 'ΣΊΣΥΦΟΣ'],
  'Дмитрий Ёлкин': ['ДМИТРИЙ', 'ёлкин', 'дмитрии\u0306'],
  'Jürgen STRASSE': ['straße', 'JÜRGEN', 'ju\u0308rgen'],
} as const;

describe('a database with another locale', function () {
  this.timeout(120_000);

  let database: TestDatabase;
  let started: ServerProcess[] = [];

  afterEach(async () => {
    await Promise.all(started.map((process) => process.end('SIGKILL')));
    started = [];
    await database.drop();
  });

  const start = () => {
    const process = startServer({ DATABASE_URL: database.url, INITIAL_ADMINS: ADMIN });
    started.push(process);
    return process;
  };

  for (const [name, options] of Object.entries(LOCALES)) {
    it(`starts twice with ${name}, and finds names in any case and composition`, async () => {
      database = await createEmptyDatabase(`encoding 'UTF8' ${options}`);
      const first = start();
      await first.ready();
      expect(await first.end('SIGTERM')).to.equal(0);
      for (const [index, found] of Object.keys(FOUND).entries())
        await addAccount(database, `no${index}@example.com`, { name: found });

      const address = await start().ready();
      const call = async (path: string, email: string, init: RequestInit = {}) =>
        fetch(`${address}${path}`, {
          ...init,
          headers: {
            'Content-Type': 'application/json',
            Authorization: `Bearer ${await signHs256(SECRET, email, '1h')}`,
          },
        });
      for (const [found, texts] of Object.entries(FOUND)) {
        for (const q of texts) {
          const answer = await call(`/v1/users?q=${encodeURIComponent(q)}`, ADMIN);
          const { items } = (await answer.json()) as { items: { name: string }[] };
          expect(
            items.map((item) => item.name),
            q,
          ).to.deep.equal([found]);
        }
      }
      // The Turkish lower case of I has no dot, which the emails of everybody else would not survive.
      expect((await call('/v1/me', 'INFO@EXAMPLE.COM')).status).to.equal(200);
      const create = () =>
        call('/v1/users', ADMIN, { method: 'POST', body: JSON.stringify({ email: 'TITI@EXAMPLE.COM' }) });
      expect((await create()).status).to.equal(201);
      await expectProblem(await create(), 409, 'email_taken');
      const listed = (await (await call('/v1/users?q=TITI@', ADMIN)).json()) as {
        items: { email: string }[];
      };
      expect(listed.items.map(({ email }) => email)).to.deep.equal(['titi@example.com']);
      const { code, said } = await mikroOrm({ DATABASE_URL: database.url }, 'migration:check');
      expect(code, said).to.equal(0);
    });
  }

  for (const encoding of ['SQL_ASCII', 'LATIN1']) {
    it(`exits 78 with the encoding ${encoding}, with what to do`, async () => {
      database = await createEmptyDatabase(`encoding '${encoding}' ${LOCALES['the locale C']}`);
      const process = start();
      expect(await process.ended()).to.equal(78);
      const fatal = process.lines.filter(({ level }) => level === 60).map(({ msg }) => msg);
      expect(fatal).to.have.length(1);
      expect(fatal[0]).to.match(
        /has the encoding .*Rollcall needs UTF8.*create database NAME encoding 'UTF8'/,
      );
      expect(JSON.stringify(process.lines)).not.to.include('"stack"');
      expect(await database.query(`select from pg_tables where schemaname = 'public'`)).to.deep.equal([]);
    });
  }
});
