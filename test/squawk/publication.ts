import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { publicationSql, publishAccounts } from '../../src/store/publication/publish.ts';
import { testStore } from '../support/store.ts';

const PAGE = join(import.meta.dirname, '../../docs/app-database.md');

/** Not followed: foreign keys have the type of `users.id`, an `int`. */
const LEFT_OUT = ['prefer-bigint-over-int'];

/** What a page leaves to the migrations of an app: how long they wait, that they can run again, and that they drop what they mean to. */
const LEFT_TO_APPS = [
  'require-lock-timeout',
  'require-statement-timeout',
  'prefer-robust-stmts',
  'ban-drop-constraint',
  'ban-drop-table',
];

/** The names of the rules that some SQL breaks. Throws where squawk is not there. */
function rulesBrokenBy(sql: string, options: readonly string[] = []): string[] {
  const rules = LEFT_OUT.flatMap((rule) => ['--exclude', rule]);
  const { error, stdout, stderr } = spawnSync(
    'squawk',
    ['--pg-version', '13', '--reporter', 'json', '--stdin-filepath', 'publication.sql', ...options, ...rules],
    { encoding: 'utf8', input: sql, timeout: 60_000 },
  );
  if (error) throw new Error('squawk does not run: pip install squawk-cli.', { cause: error });
  if (!stdout.startsWith('[')) throw new Error(stdout + stderr);
  return (JSON.parse(stdout) as { rule_name: string; line: number }[]).map(
    ({ rule_name: rule, line }) => `${rule}: ${sql.split('\n')[line]}`,
  );
}

// Not among the suites of `npm test`, because it needs squawk on the machine: `npm run test:squawk`.
describe('what publishes the accounts, to squawk', function () {
  this.timeout(120_000);

  const store = testStore();

  beforeEach(async () => {
    // As the service's own sessions have it, whatever the role is called; the ORM's begin later.
    const { database } = store;
    await (await database.connect()).query(`alter database "${database.name}" set search_path = public`);
  });

  it('takes no lock for longer than a moment', async () => {
    const sql = await publicationSql(store.em, undefined);
    expect(sql).to.include('create trigger');
    expect(rulesBrokenBy(sql)).to.deep.equal([]);
    // And it would say so.
    expect(
      rulesBrokenBy(`${sql} alter table public.users alter column email type varchar(300);`).join(),
    ).to.include('changing-column-type');
  });

  it('nor does a second run', async () => {
    await publishAccounts(store.em, undefined);
    expect(rulesBrokenBy(await publicationSql(store.em, undefined))).to.deep.equal([]);
  });

  it('nor does what its page has apps do', () => {
    const page = readFileSync(PAGE, 'utf8');
    const blocks = [
      ...[...page.matchAll(/^```sql\n([\s\S]*?)^```$/gm)].map(([, sql = '']) => sql),
      ...[...page.matchAll(/\.sql <<'END'\n([\s\S]*?)^END$/gm)].map(([, sql = '']) => sql),
    ];
    expect(blocks.length).to.be.greaterThan(6);
    const excluded = LEFT_TO_APPS.flatMap((rule) => ['--exclude', rule]);
    for (const sql of blocks) {
      // A table and its indexes are made together.
      const options = sql.startsWith('create table') ? ['--assume-in-transaction', ...excluded] : excluded;
      expect(rulesBrokenBy(sql, options), sql).to.deep.equal([]);
    }
  });
});
