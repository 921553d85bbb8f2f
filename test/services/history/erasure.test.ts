import { expect } from 'chai';
import { type Author, COMMAND_LINE } from '../../../src/domain/author.ts';
import type { Preferences } from '../../../src/domain/preferences.ts';
import { User } from '../../../src/domain/user.ts';
import { accountByEmail, changeAccount, createAccount } from '../../../src/services/accounts/accounts.ts';
import { eraseAccounts, eraseDue } from '../../../src/services/history/erasure.ts';
import { undoChange } from '../../../src/services/history/undo.ts';
import { verifyHistory } from '../../../src/services/history/verification.ts';
import type { Unit } from '../../../src/store/unit.ts';
import { unitsOfWork } from '../../../src/store/unit-of-work.ts';
import { testStore } from '../../support/store.ts';
import { until } from '../../support/until.ts';

const rules = { maxBytes: 1_000 };
const DAYS = 30;

describe('erasure', () => {
  const store = testStore();

  let erasesAtOnce: boolean;

  beforeEach(() => {
    erasesAtOnce = false;
  });

  const as = <T>(author: Author, work: (unit: Unit) => Promise<T>) =>
    unitsOfWork(store.orm, author, { erasesAtOnce })(work);
  const by = (user: User): Author => ({ actorId: user.id, actor: user.email, requestId: null });
  const invite = (email: string, author = COMMAND_LINE, preferences: Preferences = { theme: 'dark' }) =>
    as(author, async (unit) => createAccount(unit, { email, name: 'N', preferences }, rules));
  const remove = (email: string, author = COMMAND_LINE) =>
    as(author, async (unit) => {
      unit.em.remove(await accountByEmail(unit.em, email));
    });
  /** Moves the history of an account, or of all accounts, into the past. */
  const age = async (user: User | undefined, days: number) => {
    const older = `at = at - make_interval(days => $2)`;
    const values = [user?.id ?? null, days];
    await store.database.query(
      `update change_fields set ${older}
        where change_id in (select id from changes where $1::int is null or user_id = $1)`,
      values,
    );
    await store.database.query(`update changes set ${older} where $1::int is null or user_id = $1`, values);
  };
  /** Undoes the last deletion of an account. */
  const restore = (user: User, before: () => Promise<unknown> = async () => undefined) =>
    as(COMMAND_LINE, async (unit) => {
      const [deletion] = await store.database.query<{ id: string }>(
        `select id from changes where user_id = $1 and action = 'deleted' order by id desc limit 1`,
        [user.id],
      );
      await undoChange(unit, Number(deletion?.id), rules);
      await before();
    });
  const eraseDueAccounts = (days = DAYS) => eraseDue(store.inUnit, days, new AbortController().signal);
  const eraseNow = (email: string) => as(COMMAND_LINE, (unit) => eraseAccounts(unit, email));
  const entries = () =>
    store.database.query<Record<string, unknown>>(
      `select user_id, action, actor_id, actor, before, after, fields, version, erased_at is not null as erased
         from changes order by id`,
    );
  const snapshot = async () =>
    JSON.stringify(await store.database.query('select * from changes')) +
    JSON.stringify(await store.database.query('select * from change_fields')) +
    JSON.stringify(await store.database.query('select * from users'));
  const refusalCode = (outcome: Promise<unknown>) =>
    outcome.then(
      () => expect.fail('expected a refusal'),
      (error: { code?: string }) => error.code,
    );

  it('removes personal data from the history and keeps the facts', async () => {
    const ada = await invite('ada@example.com', COMMAND_LINE, { diet: { meat: false } });
    await as(by(ada), async (unit) =>
      changeAccount(
        await accountByEmail(unit.em, ada.email),
        { name: 'A', preferences: { diet: null } },
        rules,
      ),
    );
    await invite('grace@example.com', by(ada));
    await remove('ada@example.com', by(ada));
    await age(ada, DAYS);
    expect(await eraseDueAccounts()).to.equal(1);
    const [created, updated, ofGrace, deleted] = await entries();
    const gone = { user_id: ada.id, before: null, after: null, erased: true };
    const byAda = { actor_id: ada.id, actor: `erased-${ada.id}` };
    const fields = ['email', 'name', 'role', 'status', 'storageMode', 'preferences'];
    const byCommandLine = { actor_id: null, actor: 'cli' };
    expect(created).to.deep.equal({ ...gone, ...byCommandLine, action: 'created', fields, version: 1 });
    const some = ['name', 'preferences'];
    expect(updated).to.deep.equal({ ...gone, ...byAda, action: 'updated', fields: some, version: 2 });
    expect(deleted).to.deep.include({ ...gone, ...byAda, action: 'deleted', version: 3 });
    expect(ofGrace).to.deep.include({ ...byAda, erased: false });
    expect(ofGrace?.['after']).to.include({ email: 'grace@example.com' });
    expect(await snapshot()).not.to.match(/ada@|diet|meat/);
    const fieldsOfUpdates = `select field from change_fields where action = 'updated' order by field`;
    expect(await store.database.query(fieldsOfUpdates)).to.deep.equal([
      { field: 'name' },
      { field: 'preferences' },
    ]);
    expect(await verifyHistory(store.orm.em)).to.include({ wrong: 0 });
  });

  it('erases refused sign-ins and service token authors, except under an email that another account has now', async () => {
    const ada = await invite('ada@example.com');
    await as(by(ada), async (unit) =>
      changeAccount(await accountByEmail(unit.em, ada.email), { email: 'old@example.com' }, rules),
    );
    await remove('old@example.com');
    await invite('ada@example.com');
    for (const email of ['ada@example.com', 'old@example.com']) {
      await store.database.query(
        `insert into refused_sign_ins (email, reason) values ($1, 'account_required')`,
        [email],
      );
      await store.database.query(
        `insert into service_tokens (name, digest, scopes, created_by, expires_at, revoked_by) values ($1, $1, '{}', $1, now(), $1)`,
        [email],
      );
    }
    await age(ada, DAYS);
    expect(await eraseDueAccounts()).to.equal(1);
    expect(await store.database.query('select email from refused_sign_ins')).to.deep.equal([
      { email: 'ada@example.com' },
    ]);
    const [erased, present] = [`erased-${ada.id}`, 'ada@example.com'];
    expect(
      await store.database.query('select created_by, revoked_by from service_tokens order by id'),
    ).to.deep.equal([
      { created_by: present, revoked_by: present },
      { created_by: erased, revoked_by: erased },
    ]);
  });

  it('leaves existing accounts and recent deletions untouched, byte for byte', async () => {
    const ada = await invite('ada@example.com');
    await age(ada, 2 * DAYS);
    const grace = await invite('grace@example.com', by(ada));
    await remove('grace@example.com');
    await age(grace, DAYS - 1);
    const before = await snapshot();
    expect(await eraseDueAccounts()).to.equal(0);
    expect(await snapshot()).to.equal(before);
  });

  it('counts from the last deletion of an account that was restored in between', async () => {
    const ada = await invite('ada@example.com');
    await remove('ada@example.com');
    await restore(ada);
    await age(ada, DAYS);
    expect(await eraseDueAccounts()).to.equal(0);
    await remove('ada@example.com');
    expect(await eraseDueAccounts()).to.equal(0);
    await age(ada, DAYS);
    expect(await eraseDueAccounts()).to.equal(1);
    expect((await entries()).every(({ erased }) => erased)).to.equal(true);
  });

  for (const outcome of ['commit', 'rollback']) {
    it(`does not wait for an undo in progress that ends with a ${outcome}`, async () => {
      const ada = await invite('ada@example.com');
      await remove('ada@example.com');
      await age(ada, DAYS);
      const undoing = restore(ada, async () => {
        expect(await eraseDueAccounts()).to.equal(0);
        if (outcome === 'rollback') throw new Error('rolled back');
      });
      expect(await undoing.catch((error: Error) => error.message)).to.equal(
        outcome === 'rollback' ? 'rolled back' : undefined,
      );
      expect(await eraseDueAccounts()).to.equal(outcome === 'commit' ? 0 : 1);
    });
  }

  it('makes an undo wait and then refuses it', async () => {
    const ada = await invite('ada@example.com');
    await remove('ada@example.com');
    await age(ada, DAYS);
    const blocker = await store.database.connect();
    await blocker.query('begin');
    await blocker.query(`select 1 from changes where action = 'created' for update`);
    const erasing = eraseDueAccounts();
    await waiters(1);
    const undoing = refusalCode(restore(ada));
    await waiters(2);
    await blocker.query('rollback');
    expect(await erasing).to.equal(1);
    expect(await undoing).to.equal('erased');
  });

  it('skips an account whose earlier deletion is being undone', async () => {
    const ada = await invite('ada@example.com');
    await remove('ada@example.com');
    await restore(ada);
    await remove('ada@example.com');
    await age(ada, DAYS);
    const undo = await store.database.connect();
    await undo.query('begin');
    await undo.query(`select 1 from changes where action = 'deleted' order by id limit 1 for update`);
    const erasing = eraseDueAccounts();
    await waiters(1);
    await undo.query(`insert into users (id, email, version) values ($1, 'ada@example.com', 5)`, [ada.id]);
    await undo.query('commit');
    expect(await erasing).to.equal(0);
    expect((await entries()).some(({ erased }) => erased)).to.equal(false);
  });

  it('erases each account once when several run at the same time', async () => {
    for (let n = 0; n < 45; n++) {
      const user = await invite(`u${n}@example.com`);
      await remove(user.email, by(user));
    }
    await age(undefined, DAYS);
    const counts = await Promise.all(Array.from({ length: 6 }, () => eraseDueAccounts()));
    expect(counts.reduce((sum, count) => sum + count)).to.equal(45);
    expect(await eraseDueAccounts()).to.equal(0);
    expect(await snapshot()).not.to.include('@example.com');
  });

  it('erases an account completely or not at all when the connection breaks', async () => {
    const ada = await invite('ada@example.com');
    await invite('grace@example.com', by(ada));
    await remove('ada@example.com');
    await age(ada, DAYS);
    const before = await snapshot();
    const blocker = await store.database.connect();
    await blocker.query('begin');
    await blocker.query(`select 1 from changes where actor_id = $1 for update`, [ada.id]);
    const broken = eraseDueAccounts().catch((error: Error) => error.message);
    const [pid] = await waiters(1);
    await store.database.query('select pg_terminate_backend($1)', [pid]);
    expect(await broken).to.be.a('string');
    await blocker.query('rollback');
    expect(await snapshot()).to.equal(before);
    expect(await eraseDueAccounts()).to.equal(1);
    expect(await snapshot()).not.to.include('ada@');
  });

  it('stops on abort and leaves nothing half done', async () => {
    const ada = await invite('ada@example.com');
    await remove('ada@example.com');
    await age(ada, DAYS);
    const before = await snapshot();
    const outcome = await eraseDue(store.inUnit, DAYS, AbortSignal.abort(new Error('stopped'))).catch(
      (error: Error) => error.message,
    );
    expect(outcome).to.equal('stopped');
    expect(await snapshot()).to.equal(before);
  });

  it('handles an account with 100,000 history entries', async () => {
    const ada = await invite('ada@example.com');
    await store.database.query(
      `insert into changes (at, actor_id, actor, user_id, action, before, after, fields, version)
       select now() + n * interval '1 microsecond', $1, 'ada@example.com', $1, 'updated', '{"name":"A"}', '{"name":"B"}',
              '{name,preferences.secret}', 1 + n from generate_series(1, 100000) as n`,
      [ada.id],
    );
    expect(await eraseNow('ada@example.com')).to.equal(1);
    const left = `select 1 from changes where erased_at is null or actor like '%@%' or before is not null or fields && '{preferences.secret}'`;
    expect(await store.database.query(`${left} limit 1`)).to.deep.equal([]);
    expect(await store.database.query('select count(*)::int from changes')).to.deep.equal([
      { count: 100_002 },
    ]);
  });

  it('also erases the author of entries that a request in flight added afterwards', async () => {
    const ada = await invite('ada@example.com');
    expect(await eraseNow('ada@example.com')).to.equal(1);
    await invite('grace@example.com', by(ada));
    expect(await eraseDueAccounts()).to.equal(0);
    expect(await snapshot()).not.to.include('ada@');
    const settled = await snapshot();
    await eraseDueAccounts();
    expect(await snapshot()).to.equal(settled);
  });

  describe('by email', () => {
    it('deletes an account and erases its history in one transaction', async () => {
      const ada = await invite('ada@example.com');
      await invite('grace@example.com', by(ada));
      expect(await eraseNow('ADA@example.com')).to.equal(1);
      expect(await snapshot()).not.to.include('ada@');
      const [, , deleted] = await entries();
      expect(deleted).to.deep.include({ user_id: ada.id, action: 'deleted', actor: 'cli', before: null });
      expect(await store.database.query('select distinct xmin::text from changes')).to.have.length(1);
      expect(await verifyHistory(store.orm.em)).to.include({ wrong: 0 });
    });

    it('erases the account with this email and all accounts deleted with it', async () => {
      await invite('ada@example.com');
      await remove('ada@example.com');
      await invite('ada@example.com');
      await remove('ada@example.com');
      await invite('ada@example.com');
      await invite('grace@example.com');
      expect(await eraseNow('ada@example.com')).to.equal(3);
      expect(await snapshot()).not.to.include('ada@');
      expect(await refusalCode(eraseNow('ada@example.com'))).to.equal('not_found');
      expect(await verifyHistory(store.orm.em)).to.include({ accounts: 1, wrong: 0 });
    });

    it('ignores an account that was deleted with this email, restored, and given another', async () => {
      const ada = await invite('ada@example.com');
      await remove('ada@example.com');
      await restore(ada);
      await as(COMMAND_LINE, async (unit) =>
        changeAccount(
          await accountByEmail(unit.em, 'ada@example.com'),
          { email: 'lovelace@example.com' },
          rules,
        ),
      );
      expect(await refusalCode(eraseNow('ada@example.com'))).to.equal('not_found');
      expect((await entries()).some(({ erased }) => erased)).to.equal(false);
    });

    it('refuses to erase the last admin', async () => {
      const ada = await invite('ada@example.com');
      await as(COMMAND_LINE, async ({ em }) => (await em.findOneOrFail(User, { id: ada.id })).promote());
      const before = await snapshot();
      expect(await refusalCode(eraseNow('ada@example.com'))).to.equal('last_admin');
      expect(await snapshot()).to.equal(before);
    });
  });

  describe('where deletions are final', () => {
    beforeEach(() => {
      erasesAtOnce = true;
    });

    it('is part of the deletion, whose entry never has any values', async () => {
      const ada = await invite('ada@example.com');
      await remove('ada@example.com', by(ada));
      expect((await entries())[1]).to.deep.equal({
        user_id: ada.id,
        action: 'deleted',
        actor_id: ada.id,
        actor: `erased-${ada.id}`,
        before: null,
        after: null,
        fields: ['email', 'name', 'role', 'status', 'storageMode', 'preferences', 'createdAt'],
        version: 2,
        erased: true,
      });
      expect(await snapshot()).not.to.include('ada@');
      expect(await verifyHistory(store.orm.em)).to.include({ wrong: 0 });
    });

    it('appears in a dry run as it would in the history, and is rolled back', async () => {
      const ada = await invite('ada@example.com');
      const before = await snapshot();
      const recorded = await as(by(ada), async (unit) => {
        unit.dryRun = true;
        unit.em.remove(await accountByEmail(unit.em, 'ada@example.com'));
        return unit;
      }).then((unit) => unit.recorded);
      expect(recorded).to.have.length(1);
      expect(recorded[0]).to.include({ action: 'deleted', before: null, actor: `erased-${ada.id}` });
      expect(recorded[0]?.erasedAt).to.be.instanceOf(Date);
      expect(await snapshot()).to.equal(before);
    });

    it('completes when two accounts delete each other at the same time', async () => {
      const [ada, grace] = [await invite('ada@example.com'), await invite('grace@example.com')];
      for (let n = 0; n < 10; n++) {
        await invite(`a${n}@example.com`, by(ada));
        await invite(`g${n}@example.com`, by(grace));
      }
      await Promise.all([remove('ada@example.com', by(grace)), remove('grace@example.com', by(ada))]);
      await eraseDueAccounts(0);
      expect(await snapshot()).not.to.match(/(ada|grace)@/);
      expect(await verifyHistory(store.orm.em)).to.include({ wrong: 0 });
    });
  });

  /** Resolves with the process ids once this many connections wait for a lock. */
  function waiters(count: number): Promise<number[]> {
    return until(`${count} connections that wait for a lock`, async () => {
      const rows = await store.database.query<{ pid: number }>(
        `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return rows.length >= count ? rows.map(({ pid }) => pid) : undefined;
    });
  }
});
