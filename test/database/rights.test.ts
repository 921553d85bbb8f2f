import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';
import { mikroOrm } from '../support/mikro-orm.ts';
import { programEnvironment, programOf } from '../support/programs.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';

describe('a role with few rights', function () {
  this.timeout(300_000);

  let database: TestDatabase;
  let role: string;
  let servers: ServerProcess[];

  beforeEach(async () => {
    database = await createEmptyDatabase();
    role = `${database.name}_role`;
    servers = [];
    await asSuperuser('create role "ROLE" login password \'secret\'; grant all on database "DB" to "ROLE"');
    await asSuperuser('grant all on schema public to "ROLE"');
  });

  afterEach(async () => {
    await Promise.all(servers.map((server) => server.end('SIGKILL')));
    await asSuperuser('reassign owned by "ROLE" to current_user; drop owned by "ROLE"; drop role "ROLE"');
    await database.drop();
  });

  // By a session that is older than what a test sets for the database.
  const asSuperuser = (sql: string) =>
    database.query(sql.replaceAll('DB', database.name).replaceAll('ROLE', role));
  const urlOf = (query = '') => {
    const url = new URL(database.url);
    Object.assign(url, { username: role, password: 'secret' });
    return url.href + query;
  };
  const start = (url: string, env: NodeJS.ProcessEnv = {}) => {
    const server = startServer({ DATABASE_URL: url, INITIAL_ADMINS: 'ada@example.com', ...env });
    servers.push(server);
    return server;
  };
  const startAndStop = async (url: string, env: NodeJS.ProcessEnv = {}) => {
    const server = start(url, env);
    const address = await server.ready();
    expect((await fetch(`${address}/readyz`)).status).to.equal(200);
    expect(await server.end('SIGTERM')).to.equal(0);
    return server;
  };
  const expectContent = async (url: string) => {
    const { code, said } = await mikroOrm({ DATABASE_URL: url }, 'migration:check');
    expect(code, said).to.equal(0);
    expect((await mikroOrm({ DATABASE_URL: url }, 'migration:pending')).said).to.include(
      'No pending migrations',
    );
  };

  /** Expects a start to end with one fatal line, without a stack, and the exit code of a wrong configuration. */
  const expectRefusal = async (message: RegExp, url = urlOf()) => {
    const server = start(url);
    expect(await server.ended()).to.equal(78);
    const fatal = server.lines.filter(({ level }) => level === 60);
    expect(fatal.map(({ msg }) => msg).join()).to.match(message);
    expect(JSON.stringify(server.lines) + server.output.join('\n')).not.to.match(/"stack"|\n\s+at /);
  };

  it('names the statement where the role may create no tables, and starts after it', async () => {
    await asSuperuser(
      'revoke all on schema public from "ROLE", public; grant usage on schema public to "ROLE"',
    );
    await expectRefusal(
      /may not create tables in the schema public.*grant create on schema "public" to "\w+"/,
    );
    await asSuperuser('grant create on schema "public" to "ROLE"');
    await startAndStop(urlOf());
  });

  it('names the statement where another role owns the tables, as after a restore', async () => {
    await startAndStop(database.url);
    await expectRefusal(/may not use change_fields, .*grant select, insert, update, delete on all tables/);
    await asSuperuser(
      `grant select, insert, update, delete on all tables in schema "public" to "ROLE"; grant usage on all sequences in schema "public" to "ROLE"`,
    );
    // A role that only serves needs no more.
    await startAndStop(urlOf());
    await asSuperuser('revoke execute on function rollcall_fold from public');
    await expectRefusal(
      /may not use rollcall_fold\(text\) .*; grant execute on function "public".rollcall_fold\(text\) to "\w+_role"$/,
    );
    await asSuperuser(
      'grant execute on function rollcall_fold to "ROLE"; drop index users_name_search_index',
    );
    const served = (await startAndStop(urlOf())).lines.find(({ level }) => level === 40);
    expect(served?.['reason']).to.match(/^indexes are missing, and the table users belongs to /);
    expect(served?.['statement']).to.match(
      /; create index concurrently "users_name_search_index" on "users" using gin \(rollcall_fold\(name\) "public".gin_trgm_ops\);/,
    );
    await asSuperuser(`delete from rollcall_migrations where name like '%name_search'`);
    await expectRefusal(
      /do not belong to \w+\. A superuser runs: alter table "public"\."change_fields" owner to/,
    );
  });

  /** What promises nothing that the role may not do: the plan, `migrate`, the doctor, and a start that does not migrate. */
  const expectGap = async (reason: RegExp, statement: RegExp) => {
    const run = (source: 'migrate' | 'accounts', ...args: string[]) =>
      spawnSync(process.execPath, [programOf(`src/commands/${source}.ts`), ...args], {
        env: { ...programEnvironment(), ENVIRONMENT: 'test', DATABASE_URL: urlOf() },
        encoding: 'utf8',
      });
    const plan = JSON.parse(run('migrate', '--plan', '--json').stdout);
    expect([plan.pending, plan.missingIndexes]).to.deep.equal([[], []]);
    expect(plan.searchGap.reason).to.match(reason);
    expect(plan.searchGap.statement).to.match(statement);
    const migrated = run('migrate', '--yes');
    expect(migrated.status).to.equal(0);
    expect(migrated.stdout)
      .to.match(reason)
      .and.to.match(/\nNo migration is pending\.\n$/);
    expect(run('accounts', 'doctor').stdout).to.match(/^warning +search /m);
    const waiting = await startAndStop(urlOf(), { MIGRATE_ON_BOOT: 'false' });
    const warning = waiting.lines.find(({ level }) => level === 40);
    expect(warning?.['reason']).to.match(reason);
    expect(warning?.['statement']).to.match(statement);
  };

  it('searches without pg_trgm, says so, and builds its indexes once it is there', async () => {
    await asSuperuser('revoke create on database "DB" from "ROLE", public');
    const indexes = () =>
      database.query<{ name: string }>(
        `select indexname as name from pg_indexes where indexdef like '%gin_trgm_ops%' order by 1`,
      );
    const before = await startAndStop(urlOf());
    const warning = before.lines.find(({ level }) => level === 40);
    expect(warning?.msg).to.equal('no indexes for the search, which works, but slower; run the statement');
    expect(warning?.['reason']).to.match(/pg_trgm/);
    expect(warning?.['statement']).to.match(/^create extension pg_trgm;/);
    expect(await indexes()).to.deep.equal([]);
    await expectContent(urlOf());
    await expectGap(/ may not create the extension pg_trgm in /, /^create extension pg_trgm;/);
    await asSuperuser('create schema extensions; create extension pg_trgm schema extensions');
    const closed = (await startAndStop(urlOf())).lines.find(({ level }) => level === 40);
    expect(closed?.['statement']).to.match(/^grant usage on schema "extensions" to "\w+_role";/);
    await expectGap(/ may not use the schema extensions, /, /^grant usage on schema "extensions" to /);
    await asSuperuser('grant usage on schema extensions to "ROLE"');
    const after = await startAndStop(urlOf());
    expect(after.lines.filter(({ level }) => level === 40)).to.deep.equal([]);
    expect(await indexes()).to.deep.equal([
      { name: 'users_email_trigram_index' },
      { name: 'users_name_search_index' },
    ]);
  });
});
