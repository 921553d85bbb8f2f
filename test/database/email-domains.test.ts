import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { ormOptions } from '../../mikro-orm.config.ts';
import { migrateUnderLock } from '../../src/database/migrate.ts';
import { RollcallMigrator } from '../../src/database/migrator.ts';
import { knownMigrations } from '../../src/database/schema.ts';
import { normalizeEmail } from '../../src/domain/email.ts';
import { verifyHistory } from '../../src/services/history/verification.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';

const MIGRATION = 'Migration20261129000020_email_domains';

const LOCK = {
  deadline: Number.POSITIVE_INFINITY,
  signal: new AbortController().signal,
  onWait: () => undefined,
};

describe('the migration of internationalized domains', () => {
  let database: TestDatabase;
  let orm: MikroORM;
  let warnings: string[];

  beforeEach(async () => {
    warnings = [];
    database = await createEmptyDatabase();
    orm = await MikroORM.init({
      ...ormOptions(database),
      logger: () => undefined,
      loggerFactory: () => ({
        log: () => undefined,
        warn: (_, message) => warnings.push(message),
        error: () => undefined,
        logQuery: () => undefined,
        isEnabled: () => false,
        setDebugMode: () => undefined,
      }),
    });
    RollcallMigrator.register(orm);
    const names = await knownMigrations(orm);
    const earlier = names.slice(0, names.indexOf(MIGRATION));
    for (const name of earlier) await orm.migrator.up({ migrations: [name] });
  });

  afterEach(async () => {
    await orm.close(true);
    await database.drop();
  });

  const migrate = () => migrateUnderLock(orm, LOCK, async () => undefined);

  /** Accounts as earlier versions stored them, with the beginning of their history; in the order of their ids. */
  const store = (...emails: string[]) =>
    database.query(
      `with made as (insert into users (email) select unnest($1::text[]) returning *)
       insert into changes (at, actor, user_id, action, after, fields, version)
       select updated_at, 'boot', id, 'created',
              jsonb_build_object('email', email, 'name', name, 'role', role, 'status', status, 'storageMode', storage_mode,
                                 'preferences', '{}'::jsonb, 'createdAt', created_at),
              array['email', 'name', 'role', 'status', 'storageMode', 'preferences'], version
         from made order by id`,
      [emails],
    );
  const emails = async () =>
    (await database.query<{ email: string }>('select email from users order by id')).map(
      ({ email }) => email,
    );

  it('gives every account the email that sign-ins look for, and records it', async () => {
    const before = [
      'ada@example.com',
      'boss@xn--mller-kva.example',
      'grace@bücher.example',
      'x@xn--5r8h.example',
      'x@xn--10cl1a0b660p.example',
      'x@xn--nonsense-.example',
      'x@sub.xn--mller-kva.xn--fsqu00a',
      'x@\uab70.example',
      'xn--mller-kva.example@example.com',
      '1@2.3',
    ];
    await store(...before);
    await migrate();
    const after = await emails();
    expect(after).to.deep.equal(before.map(normalizeEmail));
    expect(after.slice(0, 3)).to.deep.equal([
      'ada@example.com',
      'boss@müller.example',
      'grace@bücher.example',
    ]);
    expect(await verifyHistory(orm.em.fork())).to.include({ accounts: before.length, wrong: 0 });
    const renamed = await database.query(
      `select user_id, before->>'email' as was, after->>'email' as "is", version, transaction_id is not null as "isFed"
         from changes where action = 'updated' and user_id = 2`,
    );
    expect(renamed).to.deep.equal([
      { user_id: 2, was: before[1], is: 'boss@müller.example', version: 2, isFed: true },
    ]);
    expect(
      await database.query(`select count(*)::int as count from change_fields where field = 'email'`),
    ).to.deep.equal([{ count: before.filter((email, index) => email !== after[index]).length }]);
    expect(warnings).to.deep.equal([]);
  });

  it('keeps both accounts of one email, and names them', async () => {
    await store('boss@müller.example', 'boss@xn--mller-kva.example', 'ada@xn--mller-kva.example');
    await migrate();
    expect(await emails()).to.deep.equal([
      'boss@müller.example',
      'boss@xn--mller-kva.example',
      'ada@müller.example',
    ]);
    expect(warnings).to.have.lengthOf(1);
    expect(warnings[0]).to.match(
      /^account 2 \(boss@xn--mller-kva\.example\) has the email of account 1 \(boss@müller\.example\)/,
    );
    expect(await verifyHistory(orm.em.fork())).to.include({ accounts: 3, wrong: 0 });
  });

  it('converts refused sign-ins and the makers of service tokens, too', async () => {
    const old = 'boss@xn--mller-kva.example';
    await database.query(
      `insert into refused_sign_ins (email, reason) values ($1, 'a'), ($1, 'b'), ('boss@müller.example', 'b')`,
      [old],
    );
    await database.query(
      `insert into service_tokens (name, digest, scopes, created_by, expires_at) values ('one', 'x', '{}', $1, now())`,
      [old],
    );
    await migrate();
    expect(await database.query('select email, reason from refused_sign_ins order by reason')).to.deep.equal([
      { email: 'boss@müller.example', reason: 'a' },
      { email: 'boss@müller.example', reason: 'b' },
    ]);
    expect(await database.query('select created_by from service_tokens')).to.deep.equal([
      { created_by: 'boss@müller.example' },
    ]);
  });

  it('converts more accounts than it reads at once', async () => {
    await store(...Array.from({ length: 2_500 }, (_, index) => `a${index}@xn--mller-kva.example`));
    await migrate();
    expect(new Set((await emails()).map((email) => email.replace(/.*@/, '')))).to.deep.equal(
      new Set(['müller.example']),
    );
  });
});
