import { expect } from 'chai';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import { User } from '../../src/domain/user.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { accountsIn, addAccount, LONG_AGO } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { type Entry, visitor } from '../support/history.ts';
import { expectProblem } from '../support/problem.ts';

const ADMIN = 'ada@example.com';
const GRACE = 'grace@example.com';

describe('undoing a change', () => {
  let app: TestApp;
  let visit: ReturnType<typeof visitor>;
  let adaId: number;
  let graceId: number;

  beforeEach(async () => {
    app = await startApp();
    adaId = (await addAccount(app.database, ADMIN, { role: 'admin' })).id;
    graceId = (
      await addAccount(app.database, GRACE, {
        name: 'Grace',
        preferences: { theme: 'light', editor: { tabs: 2, wrap: true }, list: [1] },
      })
    ).id;
    visit = visitor(app, ADMIN);
  });

  afterEach(() => app.close());

  const account = (id = graceId) => visit.done(200, 'GET', `/v1/users/${id}`);
  const latest = async (id = graceId) =>
    (await visit.history({ limit: '1' }, `/v1/users/${id}/history`))[0] as Entry;
  const change = async (body: unknown, id = graceId) => {
    await visit.done(200, 'PATCH', `/v1/users/${id}`, body);
    return latest(id);
  };
  const remove = async (id = graceId) => {
    await visit.done(204, 'DELETE', `/v1/users/${id}`);
    return latest(id);
  };
  const undo = ({ id }: Pick<Entry, 'id'>, query = '') =>
    visit.done<Entry>(200, 'POST', `/v1/history/${id}/undo${query}`);
  const refused = async ({ id }: Pick<Entry, 'id'>, status: number, code: string) => {
    const before = await accountsIn(app.database);
    const response = await visit.send('POST', `/v1/history/${id}/undo`);
    const { fields, ...problem } = (await response.clone().json()) as Record<string, unknown>;
    expect([response.status, problem['code']]).to.deep.equal([status, code]);
    expect(await accountsIn(app.database)).to.deep.equal(before);
    return fields;
  };
  /** The fields of an account except `version` and `updatedAt`. */
  const content = ({ version, updatedAt, ...rest }: Record<string, unknown>) => rest;

  it('reverses an update with a new entry that names the undone one', async () => {
    const before = await account();
    const entry = await change({
      name: null,
      role: 'admin',
      email: 'hopper@example.com',
      preferences: { theme: null, editor: { tabs: 4, font: 'mono' }, list: [2], new: {} },
    });
    const undone = await undo(entry);
    expect(undone).to.deep.include({
      actor: ADMIN,
      actorId: adaId,
      userId: graceId,
      action: 'updated',
      before: entry.after,
      after: entry.before,
      version: 3,
      undoes: entry.id,
    });
    expect(await latest()).to.deep.equal(undone);
    const after = await account();
    expect(content(after)).to.deep.equal(content(before));
    expect(after).to.include({ version: 3, updatedAt: undone.at });
  });

  it('leaves later changes of other values alone', async () => {
    const entry = await change({ name: 'Hopper', preferences: { theme: 'dark', editor: { tabs: 4 } } });
    await change({ role: 'admin', preferences: { editor: { wrap: false }, list: null } });
    await undo(entry);
    expect(await account()).to.deep.include({
      name: 'Grace',
      role: 'admin',
      preferences: { theme: 'light', editor: { tabs: 2, wrap: false } },
    });
  });

  const conflicts: [since: unknown, entry: unknown, fields: string[]][] = [
    [{ name: 'Hopper' }, { name: 'Admiral' }, ['name']],
    [{ name: 'Hopper', role: 'admin' }, { role: 'user' }, ['role']],
    [
      { email: 'a@example.com', status: 'suspended' },
      { email: 'b@example.com', status: 'active' },
      ['email', 'status'],
    ],
    [{ preferences: { theme: 'dark' } }, { preferences: { theme: 'blue' } }, ['preferences.theme']],
    [{ preferences: { theme: 'dark' } }, { preferences: { theme: null } }, ['preferences.theme']],
    [{ preferences: { theme: null } }, { preferences: { theme: 'light' } }, ['preferences.theme']],
    [{ preferences: { list: [1, 2] } }, { preferences: { list: [2, 1] } }, ['preferences.list']],
    [
      { preferences: { editor: { tabs: 4, wrap: false } } },
      { preferences: { editor: { tabs: 8 } } },
      ['preferences.editor.tabs'],
    ],
    // The object has gained a key since: undoing would remove that, too.
    [{ preferences: { side: { left: 1 } } }, { preferences: { side: { right: 2 } } }, ['preferences.side']],
    // The enclosing object has been replaced or removed: undoing would bring back a different one.
    [{ preferences: { editor: { wrap: null } } }, { preferences: { editor: 'vi' } }, ['preferences.editor']],
    [{ preferences: { editor: { wrap: null } } }, { preferences: { editor: null } }, ['preferences.editor']],
    [{ preferences: { editor: 'vi' } }, { preferences: { editor: { tabs: 2 } } }, ['preferences.editor']],
  ];
  for (const [first, second, fields] of conflicts) {
    it(`is refused when ${fields} has changed since: ${JSON.stringify(first)}, ${JSON.stringify(second)}`, async () => {
      const entry = await change(first);
      await change(second);
      expect(await refused(entry, 409, 'changed_since')).to.deep.equal(fields);
    });
  }

  it('is possible again once the value is back', async () => {
    const entry = await change({ name: 'Hopper' });
    const later = await change({ name: 'Admiral' });
    await undo(later);
    await undo(entry);
    expect(await account()).to.include({ name: 'Grace', version: 5 });
  });

  it('can itself be undone, any number of times, but each entry once', async () => {
    const entry = await change({ name: 'Hopper', preferences: { theme: 'dark' } });
    const changed = content(await account());
    let last = entry;
    for (const expected of ['Grace', 'Hopper', 'Grace', 'Hopper']) {
      const undone = await undo(last);
      expect(undone.undoes).to.equal(last.id);
      expect((await account())['name']).to.equal(expected);
      expect(await refused(last, 409, 'changed_since')).to.deep.equal(['name', 'preferences.theme']);
      last = undone;
    }
    expect(content(await account())).to.deep.equal(changed);
  });

  it('restores a deleted account with its id and all its fields', async () => {
    const before = await account();
    await change({ status: 'suspended', role: 'admin', storageMode: 'account' });
    const suspended = await account();
    const deletion = await remove();
    const undone = await undo(deletion);
    expect(undone).to.deep.include({
      userId: graceId,
      action: 'created',
      before: null,
      after: deletion.before,
      version: 4,
      undoes: deletion.id,
    });
    const after = await account();
    expect(content(after)).to.deep.equal(content(suspended));
    expect(after).to.include({ createdAt: before['createdAt'], version: 4, updatedAt: undone.at });
    expect(undone.at > deletion.at).to.equal(true);
    // The next account gets an id of its own, and the restored one continues its versions.
    const next = await visit.done(201, 'POST', '/v1/users', { email: 'next@example.com' });
    expect(next['id']).to.equal(graceId + 1);
    expect((await change({ name: 'Admiral' })).version).to.equal(5);
  });

  it('restores an account at a time after its deletion, even when that is ahead of the clock', async () => {
    const deletion = await remove();
    await app.database.query(`update changes set at = at + interval '1 hour' where id = $1`, [deletion.id]);
    const undone = await undo(deletion);
    expect(Date.parse(undone.at) - Date.parse(deletion.at)).to.be.within(3_600_000, 3_600_001);
    await change({ name: 'Hopper' });
    const versions = (await visit.history({}, `/v1/users/${graceId}/history`)).map(({ version }) => version);
    expect(versions).to.deep.equal([4, 3, 2, 1]);
  });

  it('refuses to restore an account whose email is taken', async () => {
    const deletion = await remove();
    await addAccount(app.database, GRACE);
    await refused(deletion, 409, 'email_taken');
  });

  it('restores no account twice, and none from an earlier deletion', async () => {
    const first = await remove();
    await undo(first);
    await refused(first, 409, 'changed_since');
    await change({ name: 'Hopper' });
    const second = await remove();
    await refused(first, 409, 'changed_since');
    await undo(second);
    expect(await account()).to.include({ name: 'Hopper' });
  });

  it('deletes a created account, but only while it is unchanged', async () => {
    const { id } = await visit.done<{ id: number }>(201, 'POST', '/v1/users', { email: 'new@example.com' });
    const creation = await latest(id);
    await change({ name: 'New', preferences: { a: { b: 1 } } }, id);
    expect(await refused(creation, 409, 'changed_since')).to.deep.equal(['name', 'preferences.a']);
    await change({ name: null, preferences: { a: null } }, id);
    const undone = await undo(creation);
    expect(undone).to.deep.include({ userId: id, action: 'deleted', after: null, undoes: creation.id });
    await expectProblem(await visit.send('GET', `/v1/users/${id}`), 404, 'not_found');
    await refused(creation, 409, 'changed_since');
    expect(await undo(undone)).to.deep.include({ userId: id, action: 'created', undoes: undone.id });
    expect(await account(id)).to.include({ email: 'new@example.com' });
  });

  it('is refused for an update of a deleted account', async () => {
    const entry = await change({ name: 'Hopper', preferences: { theme: 'dark' } });
    await remove();
    expect(await refused(entry, 409, 'changed_since')).to.deep.equal(['name', 'preferences']);
  });

  it('always leaves an active admin', async () => {
    const second = await change({ role: 'admin' });
    const { id: entryId } = await latest(adaId);
    await undo({ id: second.id });
    await refused({ id: entryId }, 409, 'last_admin');
    const again = await change({ role: 'admin' });
    // With another admin left, an admin may undo even the creation of their own account.
    await undo({ id: entryId });
    await expectProblem(await visit.send('GET', '/v1/me'), 403, 'account_required');
    const asGrace = visitor(app, GRACE);
    await expectProblem(await asGrace.send('POST', `/v1/history/${again.id}/undo`), 409, 'last_admin');
  });

  it('applies the current limits to preferences', async () => {
    const entry = await change({ preferences: { theme: 'dark' } });
    await app.database.query(
      `update changes set before = jsonb_build_object('preferences', jsonb_build_object('theme', repeat('x', 20000))) where id = $1`,
      [entry.id],
    );
    await refused(entry, 422, 'invalid_input');
  });

  it('is refused for an unknown entry and for an erased one', async () => {
    for (const id of ['0', '999', '999999999999999', '9999999999999999', '-1', 'x']) {
      await expectProblem(await visit.send('POST', `/v1/history/${id}/undo`), 404, 'not_found');
    }
    const deletion = await remove();
    await app.database.query(
      'update changes set erased_at = now(), before = null, after = null where user_id = $1',
      [graceId],
    );
    await refused(deletion, 410, 'erased');
  });

  it('happens once when ten requests undo one entry', async () => {
    for (const makeChange of [() => change({ name: 'Hopper' }), () => remove()]) {
      const entry = await makeChange();
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => visit.send('POST', `/v1/history/${entry.id}/undo`)),
      );
      expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, ...Array(9).fill(409)]);
      const undone = (await visit.history()).filter(({ undoes }) => undoes === entry.id);
      expect(undone).to.have.length(1);
    }
    expect(await account()).to.include({ name: 'Grace' });
  });

  it('does not lose concurrent writes', async () => {
    for (let round = 0; round < 20; round++) {
      const entry = await change({ name: `Grace ${round}` });
      const [undone, written] = await Promise.all([
        visit.send('POST', `/v1/history/${entry.id}/undo`),
        visit.send('PATCH', '/v1/me', { preferences: { round } }, GRACE),
      ]);
      expect([undone.status, written.status]).to.deep.equal([200, 200]);
      expect(await account()).to.deep.include({
        name: 'Grace',
        preferences: { theme: 'light', editor: { tabs: 2, wrap: true }, list: [1], round },
      });
    }
  });

  it('restores preferences that a new account could not have', async () => {
    await unitsOfWork(
      app.orm,
      COMMAND_LINE,
    )(async ({ em }) => {
      (await em.findOneOrFail(User, { id: graceId })).preferences = { huge: 'x'.repeat(20_000) };
    });
    const before = await account();
    await undo(await remove());
    expect(content(await account())).to.deep.equal(content(before));
    expect((await account())['createdAt']).to.equal(LONG_AGO);
  });
});
