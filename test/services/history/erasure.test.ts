import { expect } from 'chai';
import { ormOptions } from '../../../mikro-orm.config.ts';
import { type Author, COMMAND_LINE } from '../../../src/domain/author.ts';
import type { Preferences } from '../../../src/domain/preferences.ts';
import { User } from '../../../src/domain/user.ts';
import { accountByEmail, changeAccount, createAccount } from '../../../src/services/accounts/accounts.ts';
import { eraseAccounts, eraseDue } from '../../../src/services/history/erasure.ts';
import { undoChange } from '../../../src/services/history/undo.ts';
import { verifyHistory } from '../../../src/services/history/verification.ts';
import type { Unit } from '../../../src/store/unit.ts';
import { testStore } from '../../support/store.ts';

const rules = { maxBytes: 1_000 };
const DAYS = 30;

describe('erasure', () => {
  const store = testStore();

  const as = <T>(author: Author, work: (unit: Unit) => Promise<T>) => store.as(author)(work);
  const doing = (user: User): Author => ({ actorId: user.id, actor: user.email, requestId: null });
  const invite = (email: string, author = COMMAND_LINE, preferences: Preferences = { theme: 'dark' }) =>
    as(author, async (unit) => createAccount(unit, { email, name: 'N', preferences }, rules));
  const remove = (email: string, author = COMMAND_LINE) =>
    as(author, async (unit) => {
      unit.em.remove(await accountByEmail(unit.em, email));
    });
  /** Makes all that has happened to an account (or to all) older. */
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
  /** Takes the last deletion of an account back. */
  const restore = (user: User, before: () => Promise<unknown> = async () => undefined) =>
    as(COMMAND_LINE, async (unit) => {
      const [deletion] = await store.database.query<{ id: string }>(
        `select id from changes where user_id = $1 and action = 'deleted' order by id desc limit 1`,
        [user.id],
      );
      await undoChange(unit, Number(deletion?.id), rules);
      await before();
    });
  const eraseAllDue = (days = DAYS) => eraseDue(store.inUnit, days, new AbortController().signal);
  const eraseNow = (email: string) => as(COMMAND_LINE, (unit) => eraseAccounts(unit, email));
  const entries = () =>
    store.database.query<Record<string, unknown>>(
      `select user_id, action, actor_id, actor, before, after, fields, version, erased_at is not null as erased
         from changes order by id`,
    );
  const everything = async () =>
    JSON.stringify(await store.database.query('select * from changes')) +
    JSON.stringify(await store.database.query('select * from change_fields')) +
    JSON.stringify(await store.database.query('select * from users'));
  const refused = (outcome: Promise<unknown>) =>
    outcome.then(
      () => expect.fail('it was not refused'),
      (error: { code?: string }) => error.code,
    );

  it('takes the person, and leaves the facts', async () => {
    const ada = await invite('ada@example.com', COMMAND_LINE, { diet: { meat: false } });
    await as(doing(ada), async (unit) =>
      changeAccount(
        await accountByEmail(unit.em, ada.email),
        { name: 'A', preferences: { diet: null } },
        rules,
      ),
    );
    await invite('grace@example.com', doing(ada));
    await remove('ada@example.com', doing(ada));
    await age(ada, DAYS);
    expect(await eraseAllDue()).to.equal(1);
    const [created, updated, ofGrace, deleted] = await entries();
    const gone = { user_id: ada.id, before: null, after: null, erased: true };
    const byAda = { actor_id: ada.id, actor: `erased-${ada.id}` };
    const fields = ['email', 'name', 'role', 'status', 'storageMode', 'preferences'];
    const byNobody = { actor_id: null, actor: 'cli' };
    expect(created).to.deep.equal({ ...gone, ...byNobody, action: 'created', fields, version: 1 });
    const some = ['name', 'preferences'];
    expect(updated).to.deep.equal({ ...gone, ...byAda, action: 'updated', fields: some, version: 2 });
    expect(deleted).to.deep.include({ ...gone, ...byAda, action: 'deleted', version: 3 });
    expect(ofGrace).to.deep.include({ ...byAda, erased: false });
    expect(ofGrace?.['after']).to.include({ email: 'grace@example.com' });
    expect(await everything()).not.to.match(/ada@|diet|meat/);
    const filed = `select field from change_fields where action = 'updated' order by field`;
    expect(await store.database.query(filed)).to.deep.equal([{ field: 'name' }, { field: 'preferences' }]);
    expect(await verifyHistory(store.orm.em)).to.include({ wrong: 0 });
  });

  it('forgets that somebody was turned away, and who made a service token; but not of whoever has the address now', async () => {
    const ada = await invite('ada@example.com');
    await as(doing(ada), async (unit) =>
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
    expect(await eraseAllDue()).to.equal(1);
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

  it('leaves alone, byte for byte, whoever is there, and whoever has been gone for less long', async () => {
    const ada = await invite('ada@example.com');
    await age(ada, 2 * DAYS);
    const grace = await invite('grace@example.com', doing(ada));
    await remove('grace@example.com');
    await age(grace, DAYS - 1);
    const before = await everything();
    expect(await eraseAllDue()).to.equal(0);
    expect(await everything()).to.equal(before);
  });

  it('goes by the last deletion of an account that was restored in between', async () => {
    const ada = await invite('ada@example.com');
    await remove('ada@example.com');
    await restore(ada);
    await age(ada, DAYS);
    expect(await eraseAllDue()).to.equal(0);
    await remove('ada@example.com');
    expect(await eraseAllDue()).to.equal(0);
    await age(ada, DAYS);
    expect(await eraseAllDue()).to.equal(1);
    expect((await entries()).every(({ erased }) => erased)).to.equal(true);
  });

  for (const outcome of ['commit', 'rollback']) {
    it(`does not wait for an undo of the deletion, which then ends with a ${outcome}`, async () => {
      const ada = await invite('ada@example.com');
      await remove('ada@example.com');
      await age(ada, DAYS);
      const undoing = restore(ada, async () => {
        expect(await eraseAllDue()).to.equal(0);
        if (outcome === 'rollback') throw new Error('taken back');
      });
      expect(await undoing.catch((error: Error) => error.message)).to.equal(
        outcome === 'rollback' ? 'taken back' : undefined,
      );
      expect(await eraseAllDue()).to.equal(outcome === 'commit' ? 0 : 1);
    });
  }

  it('keeps an undo waiting until the history is erased', async () => {
    const ada = await invite('ada@example.com');
    await remove('ada@example.com');
    await age(ada, DAYS);
    const blocker = await store.database.connect();
    await blocker.query('begin');
    await blocker.query(`select 1 from changes where action = 'created' for update`);
    const erasing = eraseAllDue();
    await waiters(1);
    const undoing = refused(restore(ada));
    await waiters(2);
    await blocker.query('rollback');
    expect(await erasing).to.equal(1);
    expect(await undoing).to.equal('erased');
  });

  it('finds out when an earlier deletion is being undone', async () => {
    const ada = await invite('ada@example.com');
    await remove('ada@example.com');
    await restore(ada);
    await remove('ada@example.com');
    await age(ada, DAYS);
    const undo = await store.database.connect();
    await undo.query('begin');
    await undo.query(`select 1 from changes where action = 'deleted' order by id limit 1 for update`);
    const erasing = eraseAllDue();
    await waiters(1);
    await undo.query(`insert into users (id, email, version) values ($1, 'ada@example.com', 5)`, [ada.id]);
    await undo.query('commit');
    expect(await erasing).to.equal(0);
    expect((await entries()).some(({ erased }) => erased)).to.equal(false);
  });

  it('is done once, by however many at once', async () => {
    for (let n = 0; n < 45; n++) {
      const user = await invite(`u${n}@example.com`);
      await remove(user.email, doing(user));
    }
    await age(undefined, DAYS);
    const counts = await Promise.all(Array.from({ length: 6 }, () => eraseAllDue()));
    expect(counts.reduce((sum, count) => sum + count)).to.equal(45);
    expect(await eraseAllDue()).to.equal(0);
    expect(await everything()).not.to.include('@example.com');
  });

  it('erases all of an account or nothing, also when its connection breaks on the way', async () => {
    const ada = await invite('ada@example.com');
    await invite('grace@example.com', doing(ada));
    await remove('ada@example.com');
    await age(ada, DAYS);
    const before = await everything();
    const blocker = await store.database.connect();
    await blocker.query('begin');
    await blocker.query(`select 1 from changes where actor_id = $1 for update`, [ada.id]);
    const broken = eraseAllDue().catch((error: Error) => error.message);
    const [pid] = await waiters(1);
    await store.database.query('select pg_terminate_backend($1)', [pid]);
    expect(await broken).to.be.a('string');
    await blocker.query('rollback');
    expect(await everything()).to.equal(before);
    expect(await eraseAllDue()).to.equal(1);
    expect(await everything()).not.to.include('ada@');
  });

  it('stops when it is told to, and leaves nothing half done', async () => {
    const ada = await invite('ada@example.com');
    await remove('ada@example.com');
    await age(ada, DAYS);
    const before = await everything();
    const outcome = await eraseDue(store.inUnit, DAYS, AbortSignal.abort(new Error('told to stop'))).catch(
      (error: Error) => error.message,
    );
    expect(outcome).to.equal('told to stop');
    expect(await everything()).to.equal(before);
  });

  it('is possible for an account of 100,000 entries', async () => {
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

  it('comes back for what a request has signed that was under way', async () => {
    const ada = await invite('ada@example.com');
    expect(await eraseNow('ada@example.com')).to.equal(1);
    await invite('grace@example.com', doing(ada));
    expect(await eraseAllDue()).to.equal(0);
    expect(await everything()).not.to.include('ada@');
    const settled = await everything();
    await eraseAllDue();
    expect(await everything()).to.equal(settled);
  });

  describe('by email', () => {
    it('deletes an account with its history, at once and in one transaction', async () => {
      const ada = await invite('ada@example.com');
      await invite('grace@example.com', doing(ada));
      expect(await eraseNow('ADA@example.com')).to.equal(1);
      expect(await everything()).not.to.include('ada@');
      const [, , deleted] = await entries();
      expect(deleted).to.deep.include({ user_id: ada.id, action: 'deleted', actor: 'cli', before: null });
      expect(await store.database.query('select distinct xmin::text from changes')).to.have.length(1);
      expect(await verifyHistory(store.orm.em)).to.include({ wrong: 0 });
    });

    it('erases all that had it when they were deleted, and the one that has it', async () => {
      await invite('ada@example.com');
      await remove('ada@example.com');
      await invite('ada@example.com');
      await remove('ada@example.com');
      await invite('ada@example.com');
      await invite('grace@example.com');
      expect(await eraseNow('ada@example.com')).to.equal(3);
      expect(await everything()).not.to.include('ada@');
      expect(await refused(eraseNow('ada@example.com'))).to.equal('not_found');
      expect(await verifyHistory(store.orm.em)).to.include({ accounts: 1, wrong: 0 });
    });

    it('leaves another account alone that was deleted under that email and restored under another', async () => {
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
      expect(await refused(eraseNow('ada@example.com'))).to.equal('not_found');
      expect((await entries()).some(({ erased }) => erased)).to.equal(false);
    });

    it('does not take the last admin away', async () => {
      const ada = await invite('ada@example.com');
      await as(COMMAND_LINE, async ({ em }) => (await em.findOneOrFail(User, { id: ada.id })).promote());
      const before = await everything();
      expect(await refused(eraseNow('ada@example.com'))).to.equal('last_admin');
      expect(await everything()).to.equal(before);
    });
  });

  describe('at once, where nothing is to be restored', () => {
    beforeEach(async () => {
      await store.reopen(ormOptions(store.database, 'direct', { eraseAfterDays: 0 }));
    });

    it('is part of the deletion, whose entry never had any values', async () => {
      const ada = await invite('ada@example.com');
      const listener = await store.database.connect();
      await listener.query('listen rollcall_changes');
      const told = new Promise((resolve) => listener.on('notification', resolve));
      await remove('ada@example.com', doing(ada));
      await told;
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
      expect(await everything()).not.to.include('ada@');
      expect(await verifyHistory(store.orm.em)).to.include({ wrong: 0 });
    });

    it('shows in a dry run as it would in the history, and is taken back with it', async () => {
      const ada = await invite('ada@example.com');
      const before = await everything();
      const recorded = await as(doing(ada), async (unit) => {
        unit.dryRun = true;
        unit.em.remove(await accountByEmail(unit.em, 'ada@example.com'));
        return unit;
      }).then((unit) => unit.recorded);
      expect(recorded).to.have.length(1);
      expect(recorded[0]).to.include({ action: 'deleted', before: null, actor: `erased-${ada.id}` });
      expect(recorded[0]?.erasedAt).to.be.instanceOf(Date);
      expect(await everything()).to.equal(before);
    });

    it('is not held up by two who delete each other', async () => {
      const [ada, grace] = [await invite('ada@example.com'), await invite('grace@example.com')];
      for (let n = 0; n < 10; n++) {
        await invite(`a${n}@example.com`, doing(ada));
        await invite(`g${n}@example.com`, doing(grace));
      }
      await Promise.all([remove('ada@example.com', doing(grace)), remove('grace@example.com', doing(ada))]);
      await eraseAllDue(0);
      expect(await everything()).not.to.match(/(ada|grace)@/);
      expect(await verifyHistory(store.orm.em)).to.include({ wrong: 0 });
    });
  });

  /** Resolves with their process ids when so many connections wait for a lock. */
  async function waiters(count: number): Promise<number[]> {
    const deadline = Date.now() + 20_000;
    for (;;) {
      const rows = await store.database.query<{ pid: number }>(
        `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      if (rows.length >= count) return rows.map(({ pid }) => pid);
      if (Date.now() > deadline) expect.fail(`only ${rows.length} wait`);
    }
  }
});
