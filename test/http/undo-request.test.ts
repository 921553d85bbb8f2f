import { expect } from 'chai';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import type { UndoReport } from '../../src/domain/undo-report.ts';
import { eraseAccounts } from '../../src/services/history/erasure.ts';
import { verifyHistory } from '../../src/services/history/verification.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { type ConformingApp, conforming } from '../support/conformance.ts';
import { type Entry, visitor } from '../support/history.ts';
import { expectProblem } from '../support/problem.ts';
import { until } from '../support/until.ts';

const ADMIN = 'ada@example.com';
const GRACE = 'grace@example.com';
const NDJSON = 'application/x-ndjson';

type Report = UndoReport & { readonly changes: Entry[] };

describe('undoing everything that a request has changed', function () {
  this.timeout(120_000);

  let app: ConformingApp;
  let visit: ReturnType<typeof visitor>;
  let graceId: number;

  beforeEach(async () => {
    app = await conforming(await startApp());
    await addAccount(app.database, ADMIN, { role: 'admin' });
    graceId = (await addAccount(app.database, GRACE, { name: 'Grace', preferences: { theme: 'light' } })).id;
    visit = visitor(app, ADMIN);
  });

  afterEach(() => app.close());

  /** Imports lines and returns the request id. */
  const importing = async (lines: readonly object[], headers: Record<string, string> = {}) => {
    const response = await app.call('/v1/users/import?mode=upsert', {
      method: 'POST',
      as: ADMIN,
      headers: { ...headers, 'Content-Type': NDJSON },
      body: lines.map((line) => JSON.stringify(line)).join('\n'),
    });
    expect(response.status, await response.clone().text()).to.equal(200);
    return response.headers.get('x-request-id') as string;
  };
  const changesOf = (requestId: string, limit = '200') => visit.history({ requestId, limit });
  const one = async (requestId: string) => ((await changesOf(requestId, '1')) as [Entry])[0].id;
  const undoPath = async (requestId: string, query = '') =>
    `/v1/history/${await one(requestId)}/undo-request${query}`;
  const undo = async (requestId: string, query = '') =>
    visit.done<Report>(200, 'POST', await undoPath(requestId, query));
  const refused = async (requestId: string, status: number, code: string, query = '') => {
    const before = await accountsIn(app.database);
    const response = await visit.send('POST', await undoPath(requestId, query));
    const { report, ...problem } = (await response.json()) as { report?: UndoReport; code: string };
    expect([response.status, problem.code]).to.deep.equal([status, code]);
    expect(await accountsIn(app.database)).to.deep.equal(before);
    return report;
  };
  /** The accounts without what every change of them changes. */
  const contents = async () =>
    (await accountsIn(app.database)).map(({ version, updated_at, preferences, ...content }) => ({
      ...content,
      // No preferences say the same as empty ones.
      preferences: preferences ?? {},
    }));
  const expectWhole = async () => {
    const verified = await unitsOfWork(app.orm)(({ em }) => verifyHistory(em), { readOnly: true });
    expect(verified.findings).to.deep.equal([]);
  };
  /** Sends a write under a request id of the caller's choice. */
  const under = (requestId: string, method: string, path: string, body?: unknown, as = ADMIN) =>
    app.call(path, {
      method,
      as,
      headers: { 'X-Request-Id': requestId, 'Content-Type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });

  it('takes an import back that has created and changed accounts, and can be taken back itself', async () => {
    const before = await contents();
    const requestId = await importing([
      { email: GRACE, name: 'Hopper', role: 'admin', preferences: { theme: 'dark' } },
      { email: 'new@example.com', preferences: { a: 1 }, createdAt: '2021-05-06T07:08:09.123Z' },
      { email: 'other@example.com' },
    ]);
    const imported = await contents();
    const report = await undo(requestId);
    expect(report).to.deep.include({
      undone: 3,
      skipped: 0,
      actions: { created: 0, updated: 1, deleted: 2 },
      undoneRequestId: requestId,
      skippedChanges: [],
    });
    expect(await contents()).to.deep.equal(before);
    const undoing = await changesOf(report.requestId as string);
    expect(report.changes).to.have.deep.members(undoing);
    const undone = await changesOf(requestId);
    expect(undoing.map(({ undoes }) => undoes)).to.have.members(undone.map(({ id }) => id));
    for (const { undoes, before, after, actor, version } of undoing) {
      const entry = undone.find(({ id }) => id === undoes);
      expect([actor, version]).to.deep.equal([ADMIN, (entry?.version ?? 0) + 1]);
      // A deletion tells the account's age too.
      expect(after).to.deep.equal(entry?.before);
      expect(before).to.deep.include(entry?.after ?? {});
    }

    const again = await undo(report.requestId as string);
    expect(again).to.deep.include({ undone: 3, actions: { created: 2, updated: 1, deleted: 0 } });
    expect(await contents()).to.deep.equal(imported);
    await expectWhole();
  });

  it('undoes several changes of one account, newest first', async () => {
    const before = await contents();
    const requestId = await importing([
      { email: 'new@example.com', name: 'A' },
      { email: GRACE, name: 'B' },
      { email: 'new@example.com', name: 'C' },
      { email: GRACE, name: 'D', status: 'suspended' },
      { email: GRACE, name: 'E' },
    ]);
    expect(await undo(requestId)).to.deep.include({
      undone: 5,
      actions: { created: 0, updated: 4, deleted: 1 },
    });
    expect(await contents()).to.deep.equal(before);
    await expectWhole();
  });

  it('undoes many changes, in batches', async () => {
    const before = await contents();
    const lines = Array.from({ length: 1_300 }, (_, n) => ({ email: `u${n}@example.com`, name: `${n}` }));
    const requestId = await importing([
      ...lines,
      ...lines.slice(0, 400).map((line) => ({ ...line, name: 'x' })),
    ]);
    const report = await undo(requestId);
    expect(report).to.deep.include({ undone: 1_700, actions: { created: 0, updated: 400, deleted: 1_300 } });
    expect(report.changes).to.have.length(100);
    expect(await contents()).to.deep.equal(before);
    expect(await undo(report.requestId as string)).to.deep.include({ undone: 1_700 });
    expect(await accountsIn(app.database)).to.have.length(1_302);
    await expectWhole();
  });

  it('is refused where something has changed since, and names it; partial=true undoes the rest', async () => {
    const requestId = await importing([
      { email: GRACE, name: 'Hopper', preferences: { theme: 'dark' } },
      ...Array.from({ length: 150 }, (_, n) => ({ email: `u${n}@example.com` })),
    ]);
    await visit.done(200, 'PATCH', `/v1/users/${graceId}`, {
      name: 'Admiral',
      preferences: { theme: 'blue' },
    });
    const [u0, u1] = (await accountsIn(app.database)).filter(({ email }) => /^u[01]@/.test(email));
    await visit.done(200, 'PATCH', `/v1/users/${u0?.id}`, { name: 'Kept' });
    await visit.done(204, 'DELETE', `/v1/users/${u1?.id}`);
    const since = [
      { userId: graceId, reason: 'changed_since', fields: ['name', 'preferences.theme'] },
      { userId: u0?.id, reason: 'changed_since', fields: ['name'] },
      {
        userId: u1?.id,
        reason: 'changed_since',
        fields: ['name', 'role', 'email', 'status', 'preferences', 'storageMode'],
      },
    ];
    const named = (report?: UndoReport) =>
      report?.skippedChanges.map(({ id, fields, ...rest }) => ({ ...rest, fields: [...fields].sort() }));
    const sorted = since.map(({ fields, ...rest }) => ({ ...rest, fields: [...fields].sort() }));

    const refusal = await refused(requestId, 409, 'changed_since');
    expect(refusal).to.include({ undone: 0, wouldUndo: 148, skipped: 3 });
    expect(named(refusal)).to.have.deep.members(sorted);
    expect(await refused(requestId, 409, 'changed_since', '?dryRun=true')).to.include({ skipped: 3 });

    const report = await undo(requestId, '?partial=true');
    expect(report).to.include({ undone: 148, skipped: 3 });
    expect(named(report)).to.have.deep.members(sorted);
    expect((await accountsIn(app.database)).map(({ name }) => name)).to.deep.equal([null, 'Admiral', 'Kept']);
    await expectWhole();

    // What is undone has changed since, too.
    const second = await refused(requestId, 409, 'changed_since');
    expect(second).to.include({ wouldUndo: 0, skipped: 151 });
    expect(second?.skippedChanges).to.have.length(100);
    expect(await undo(requestId, '?partial=true')).to.include({ undone: 0, skipped: 151 });
  });

  it('shows in a dry run what it would do, and does nothing', async () => {
    const requestId = await importing([
      { email: GRACE, name: 'Hopper' },
      ...Array.from({ length: 1_200 }, (_, n) => ({ email: `u${n}@example.com` })),
    ]);
    const before = await accountsIn(app.database);
    const report = await undo(requestId, '?dryRun=true');
    expect(report).to.deep.include({
      undone: 0,
      wouldUndo: 1_201,
      skipped: 0,
      actions: { created: 0, updated: 1, deleted: 1_200 },
    });
    expect(report.changes).to.have.length(1_000);
    expect(await accountsIn(app.database)).to.deep.equal(before);
    expect(await changesOf(report.requestId as string)).to.deep.equal([]);
  });

  it('leaves what others have changed under the same request id', async () => {
    await visit.done(200, 'PATCH', `/v1/users/${graceId}`, { role: 'admin' });
    const { id: alan } = await addAccount(app.database, 'alan@example.com');
    const { id: kate } = await addAccount(app.database, 'kate@example.com');
    const requestId = 'chosen-by-both';
    expect((await under(requestId, 'PATCH', `/v1/users/${alan}`, { role: 'admin' }, GRACE)).status).to.equal(
      200,
    );
    expect((await under(requestId, 'PATCH', `/v1/users/${kate}`, { name: 'K' })).status).to.equal(200);
    const [ours, theirs] = (await changesOf(requestId)) as [Entry, Entry];
    expect([ours.actor, theirs.actor]).to.deep.equal([ADMIN, GRACE]);
    const report = await visit.done<Report>(200, 'POST', `/v1/history/${ours.id}/undo-request`);
    expect(report.changes.map(({ undoes }) => undoes)).to.deep.equal([ours.id]);
    // An author stays the same under another email.
    await visit.done(200, 'PATCH', `/v1/users/${graceId}`, { email: 'hopper@example.com' });
    const of = await under(requestId, 'PATCH', `/v1/users/${kate}`, { name: 'Z' }, 'hopper@example.com');
    expect(of.status).to.equal(200);
    expect(await visit.done(200, 'POST', `/v1/history/${theirs.id}/undo-request`)).to.include({ undone: 2 });
  });

  it('signs with a request id of its own, also where the caller chose the one of the undone request', async () => {
    for (const name of ['A', 'B'])
      expect((await under('mine', 'PATCH', `/v1/users/${graceId}`, { name })).status).to.equal(200);
    const response = await under('mine', 'POST', await undoPath('mine'));
    const report = (await response.json()) as Report;
    expect(report.undone).to.equal(2);
    expect(report.requestId).not.to.equal('mine');
    expect(await undo(report.requestId as string)).to.include({ undone: 2 });
    expect((await accountsIn(app.database))[1]).to.include({ name: 'B' });
  });

  it('undoes changes whose emails went from one account to another', async () => {
    const { id: alan } = await addAccount(app.database, 'alan@example.com');
    const before = await contents();
    const [x, y] = ['x@example.com', 'y@example.com'];
    for (const [method, path, body] of [
      ['PATCH', `/v1/users/${graceId}`, { email: x }],
      ['PATCH', `/v1/users/${alan}`, { email: GRACE }],
      ['PATCH', `/v1/users/${graceId}`, { email: 'alan@example.com' }],
      ['POST', '/v1/users', { email: y }],
    ] as const)
      expect((await under('moves', method, path, body)).ok).to.equal(true);
    const created = (await accountsIn(app.database)).at(-1)?.id;
    for (const [method, path, body] of [
      ['DELETE', `/v1/users/${created}`, undefined],
      ['POST', '/v1/users', { email: y }],
      ['PATCH', `/v1/users/${alan}`, { email: x }],
    ] as const)
      expect((await under('moves', method, path, body)).ok).to.equal(true);
    const after = await contents();
    const report = await undo('moves');
    expect(report).to.deep.include({ undone: 7, skipped: 0 });
    expect(await contents()).to.deep.equal(before);
    expect(await undo(report.requestId as string)).to.include({ undone: 7 });
    expect(await contents()).to.deep.equal(after);
    await expectWhole();
  });

  it('restores deleted accounts, unless another account has their email by now', async () => {
    const { id: alan } = await addAccount(app.database, 'alan@example.com', { name: 'Alan' });
    const before = await contents();
    for (const id of [graceId, alan])
      expect((await under('leaving', 'DELETE', `/v1/users/${id}`)).status).to.equal(204);
    await addAccount(app.database, GRACE);
    const report = await refused('leaving', 409, 'changed_since');
    expect(report).to.include({ wouldUndo: 1, skipped: 1 });
    expect(report?.skippedChanges).to.deep.include.members([
      { ...report?.skippedChanges[0], userId: graceId, reason: 'email_taken', fields: [] },
    ]);
    expect(await undo('leaving', '?partial=true')).to.include({ undone: 1, skipped: 1 });
    expect((await contents()).find(({ id }) => id === alan)).to.deep.equal(
      before.find(({ id }) => id === alan),
    );
    await expectWhole();
  });

  it('leaves an email to whoever has it by now, and obeys the rules for preferences', async () => {
    const rules = { maxBytes: 16_384 };
    await visit.done(200, 'PATCH', `/v1/users/${graceId}`, { preferences: { long: 'x'.repeat(200) } });
    await app.stop();
    const strict = await startApp({ database: app.database, preferenceRules: { ...rules, maxBytes: 100 } });
    app = await conforming(strict);
    visit = visitor(app, ADMIN);
    const { id: alan } = await addAccount(app.database, 'alan@example.com');
    await under('both', 'PATCH', `/v1/users/${graceId}`, { preferences: { long: null } });
    await under('both', 'PATCH', `/v1/users/${alan}`, { email: 'a@example.com' });
    await addAccount(app.database, 'alan@example.com');
    const report = await undo('both', '?partial=true');
    expect(report.skippedChanges.map(({ userId, reason }) => [userId, reason])).to.have.deep.members([
      [graceId, 'invalid_input'],
      [alan, 'email_taken'],
    ]);
    expect(report.undone).to.equal(0);
  });

  for (const checked of ['at once', 'deferrable initially deferred']) {
    it(`leaves accounts that a table of the app points at, and undoes the rest (${checked})`, async () => {
      const requestId = await importing([
        { email: GRACE, name: 'Hopper' },
        ...Array.from({ length: 2_000 }, (_, n) => ({ email: `u${n}@example.com` })),
      ]);
      await app.database.query(
        `create table items (owner_id int unique references users ${checked === 'at once' ? '' : checked})`,
      );
      const pointing = `insert into items select id from users where email ~ '^u[0-9]*77@' returning owner_id`;
      const used = (await app.database.query<{ owner_id: number }>(pointing)).map((row) => row.owner_id);
      expect(used).to.have.length(20);
      const named = used.map((userId) => ({ userId, reason: 'account_in_use', fields: [] }));
      const namedBy = (report?: UndoReport) => report?.skippedChanges.map(({ id, ...rest }) => rest);

      const refusal = await refused(requestId, 409, 'account_in_use');
      expect(refusal).to.include({ undone: 0, wouldUndo: 1_981, skipped: 20 });
      expect(namedBy(refusal)).to.have.deep.members(named);
      expect(await refused(requestId, 409, 'account_in_use', '?dryRun=true')).to.include({ skipped: 20 });

      const outcome = { skipped: 20, actions: { created: 0, updated: 1, deleted: 1_980 } };
      const before = await accountsIn(app.database);
      const dry = await undo(requestId, '?partial=true&dryRun=true');
      expect(dry).to.deep.include({ ...outcome, undone: 0, wouldUndo: 1_981 });
      expect(await accountsIn(app.database)).to.deep.equal(before);
      const report = await undo(requestId, '?partial=true');
      expect(report).to.deep.include({ ...outcome, undone: 1_981, skippedChanges: dry.skippedChanges });
      expect(namedBy(report)).to.have.deep.members(named);
      const left = (await accountsIn(app.database)).map(({ id }) => id as number);
      expect(left).to.have.members([1, graceId, ...used]);
      await expectWhole();

      const [change] = report.skippedChanges;
      const alone = await visit.send('POST', `/v1/history/${change?.id}/undo`);
      const { detail } = await expectProblem(alone, 409, 'account_in_use');
      expect(detail).to.match(/^The table items points at this account: /);
      await app.database.query('delete from items');
      expect(await undo(requestId, '?partial=true')).to.include({ undone: 20, skipped: 1_981 });
    });
  }

  it('leaves an email that a table of the app points at', async () => {
    const { id: alan } = await addAccount(app.database, 'alan@example.com');
    await under('moves', 'PATCH', `/v1/users/${graceId}`, { email: 'hopper@example.com' });
    await under('moves', 'PATCH', `/v1/users/${alan}`, { email: 'turing@example.com' });
    await app.database.query('create table letters (address varchar references users (email))');
    await app.database.query(`insert into letters values ('hopper@example.com')`);
    const report = await undo('moves', '?partial=true');
    expect(report.skippedChanges.map(({ userId, reason }) => [userId, reason])).to.deep.equal([
      [graceId, 'account_in_use'],
    ]);
    expect((await accountsIn(app.database)).map(({ email }) => email)).to.deep.equal([
      ADMIN,
      'hopper@example.com',
      'alan@example.com',
    ]);
    await expectWhole();
  });

  it('leaves a role that a table of the app points at together with the account', async () => {
    const people = ['alan', 'barbara', 'claude'].map((name) => `${name}@example.com`);
    for (const email of people) await addAccount(app.database, email);
    const [alan, barbara, claude] = (await accountsIn(app.database)).slice(-3).map(({ id }) => id);
    for (const id of [alan, barbara])
      await under('roles', 'PATCH', `/v1/users/${id}`, { role: 'admin', preferences: { theme: 'dark' } });
    await under('roles', 'PATCH', `/v1/users/${claude}`, { name: 'Claude' });
    await app.database.query(`
      alter table users add constraint users_id_role unique (id, role);
      create table duties (user_id int, role varchar, foreign key (user_id, role) references users (id, role))`);
    await app.database.query(`insert into duties values ($1, 'admin')`, [alan]);
    expect(await refused('roles', 409, 'account_in_use')).to.include({ wouldUndo: 2, skipped: 1 });
    const report = await undo('roles', '?partial=true');
    expect(report).to.include({ undone: 2, skipped: 1 });
    expect(report.skippedChanges.map(({ userId, reason }) => [userId, reason])).to.deep.equal([
      [alan, 'account_in_use'],
    ]);
    expect((await accountsIn(app.database)).slice(-3).map(({ role, name }) => [role, name])).to.deep.equal([
      ['admin', null],
      ['user', null],
      ['user', null],
    ]);
    await expectWhole();
  });

  it('leaves what the app points at meanwhile, and the app cannot point at what is gone', async () => {
    const lines = Array.from({ length: 1_200 }, (_, n) => ({ email: `u${n}@example.com` }));
    const requestId = await importing(lines);
    const path = await undoPath(requestId, '?partial=true');
    await app.database.query('create table items (owner_id int references users)');
    const insert = (email: string) => `insert into items select id from users where email = '${email}'`;
    const waiting = (statement: string) =>
      app.database.query(
        `select 1 from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock' and query like $1`,
        [statement],
      );
    const [early, late] = [await app.database.connect(), await app.database.connect()];
    // The oldest change is undone last, when the newest account is deleted and nothing is committed.
    await early.query(`begin; ${insert('u0@example.com')}`);
    const undoing = visit.done<Report>(200, 'POST', path);
    await until('the undo to wait', async () => (await waiting('%for update')).length > 0);
    const refusal = late.query(insert('u1199@example.com')).catch(({ code }: { code: string }) => code);
    await until('the insert to wait', async () => (await waiting('insert into items%')).length > 0);
    await early.query('commit');
    const report = await undoing;
    expect(report).to.include({ undone: 1_199, skipped: 1 });
    expect(report.skippedChanges[0]).to.include({ reason: 'account_in_use' });
    // foreign_key_violation
    expect(await refusal).to.equal('23503');
    const left = (await accountsIn(app.database)).map(({ email }) => email);
    expect(left).to.deep.equal([ADMIN, GRACE, 'u0@example.com']);
    await expectWhole();
  });

  it('leaves erased changes', async () => {
    const requestId = await importing([{ email: 'gone@example.com' }, { email: 'stays@example.com' }]);
    await unitsOfWork(app.orm, COMMAND_LINE)((unit) => eraseAccounts(unit, 'gone@example.com'));
    const report = await refused(requestId, 409, 'changed_since');
    expect(report).to.include({ wouldUndo: 1, skipped: 1 });
    expect(report?.skippedChanges[0]).to.deep.include({ reason: 'erased', fields: [] });
    expect(await undo(requestId, '?partial=true')).to.include({ undone: 1, skipped: 1 });
    expect(await accountsIn(app.database)).to.have.length(2);
  });

  it('always leaves an active admin, also where the rest could be undone', async () => {
    const requestId = await importing([{ email: GRACE, role: 'admin' }, { email: 'new@example.com' }]);
    await visit.done(200, 'PATCH', '/v1/users/1', { role: 'user' }, GRACE);
    const as = async (query: string) =>
      visit.send('POST', `/v1/history/${changeId}/undo-request${query}`, undefined, GRACE);
    const [{ id: changeId }] = (await visit.history({ requestId, limit: '1' }, '/v1/history', GRACE)) as [
      Entry,
    ];
    for (const query of ['', '?partial=true', '?dryRun=true'])
      await expectProblem(await as(query), 409, 'last_admin');
    expect(await accountsIn(app.database)).to.have.length(3);
  });

  it('undoes what an admin did to their own account, too', async () => {
    await visit.done(200, 'PATCH', `/v1/users/${graceId}`, { role: 'admin' });
    expect((await under('own', 'PATCH', '/v1/users/1', { name: 'Ada' })).status).to.equal(200);
    expect(await undo('own')).to.include({ undone: 1 });
    const [creation] = await visit.history({ userId: '1', action: 'created' });
    await app.database.query(`update changes set request_id = 'birth' where id = $1`, [creation?.id]);
    expect(await undo('birth')).to.deep.include({ actions: { created: 0, updated: 0, deleted: 1 } });
    expect(await accountsIn(app.database)).to.have.length(1);
  });

  it('is refused for a change without a request id, and for one that does not exist', async () => {
    const [creation] = await visit.history({ userId: '1' });
    await expectProblem(
      await visit.send('POST', `/v1/history/${creation?.id}/undo-request`),
      409,
      'request_unknown',
    );
    await expectProblem(await visit.send('POST', '/v1/history/999/undo-request'), 404, 'not_found');
    await expectProblem(
      await visit.send('POST', `/v1/history/${creation?.id}/undo-request`, undefined, GRACE),
      403,
      'forbidden',
    );
  });

  it('happens once where several ask at once', async () => {
    const lines = Array.from({ length: 60 }, (_, n) => ({ email: `u${n}@example.com` }));
    const requestId = await importing([{ email: GRACE, name: 'Hopper' }, ...lines]);
    const path = await undoPath(requestId);
    const answers = await Promise.all(Array.from({ length: 4 }, () => visit.send('POST', path)));
    const codes = await Promise.all(
      answers.map(async (answer) => ((await answer.json()) as { code?: string }).code ?? answer.status),
    );
    expect(codes.filter((code) => code === 200)).to.have.length(1);
    // Each caller has a few places for transfers.
    for (const code of codes) expect(code).to.be.oneOf([200, 'changed_since', 'too_many_transfers']);
    expect(await accountsIn(app.database)).to.have.length(2);
    await expectWhole();

    const [deletion] = await changesOf(
      (await visit.history({ action: 'deleted', limit: '1' }))[0]?.requestId as string,
      '1',
    );
    const both = await Promise.all([
      visit.send('POST', `/v1/history/${deletion?.id}/undo-request`),
      visit.send('POST', `/v1/history/${deletion?.id}/undo`),
    ]);
    expect(both.map(({ status }) => status).sort()).to.deep.equal([200, 409]);
    await expectWhole();
  });

  it('leaves no trace when its database session ends halfway', async () => {
    const lines = Array.from({ length: 1_200 }, (_, n) => ({ email: `u${n}@example.com` }));
    const requestId = await importing(lines);
    const path = await undoPath(requestId);
    const before = await accountsIn(app.database);
    const session = await app.database.connect();
    // The oldest change is undone last, when most are written.
    await session.query(`begin; select from users where email = 'u0@example.com' for update`);
    const undoing = visit.send('POST', path);
    const ended = () =>
      app.database.query<{ done: boolean }>(
        `select pg_terminate_backend(pid) as done from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock' and query like '%for update'`,
      );
    await until('the session to end', async () => (await ended()).length > 0);
    await expectProblem(await undoing, 503, 'database_unavailable');
    await session.query('rollback');
    expect(await accountsIn(app.database)).to.deep.equal(before);
    await expectWhole();
    expect(await undo(requestId)).to.include({ undone: 1_200 });
  });

  describe('with a service token', () => {
    const mint = async (scopes: string[]) =>
      (
        await visit.done<{ token: string }>(201, 'POST', '/v1/service-tokens', {
          name: scopes.join(' ').replaceAll(':', '-'),
          scopes,
          expiresAt: null,
        })
      ).token;
    const undoWith = (token: string, path: string) =>
      app.call(path, { method: 'POST', headers: { Authorization: `Bearer ${token}` } });

    it('needs users:write, and history:read for values and fields', async () => {
      const requestId = await importing([{ email: GRACE, name: 'Hopper' }, { email: 'new@example.com' }]);
      await expectProblem(
        await undoWith(await mint(['users:read', 'history:read']), await undoPath(requestId)),
        403,
        'forbidden',
      );
      await visit.done(200, 'PATCH', `/v1/users/${graceId}`, { name: 'Admiral' });
      const writer = await mint(['users:write']);
      const refusal = await undoWith(writer, await undoPath(requestId));
      const text = await refusal.text();
      expect(text)
        .to.include('changed_since')
        .and.not.to.match(/"name"|Hopper/);
      const dry = (await (
        await undoWith(writer, await undoPath(requestId, '?partial=true&dryRun=true'))
      ).json()) as Report;
      expect(dry).to.include({ wouldUndo: 1, skipped: 1 });
      expect(dry.changes).to.have.length(1);
      const report = (await (
        await undoWith(writer, await undoPath(requestId, '?partial=true'))
      ).json()) as Report;
      for (const { before, after } of [...dry.changes, ...report.changes])
        expect([before, after]).to.deep.equal([null, null]);
      expect(report.skippedChanges[0]?.fields).to.deep.equal([]);
      const [entry] = await changesOf(report.requestId as string);
      expect(entry).to.include({ actor: 'service:users-write', actorId: null });
      // What a token did is another's only by its name.
      expect(await undo(report.requestId as string)).to.include({ undone: 1 });
    });

    it('cannot undo anything of a request that changed an admin', async () => {
      const requestId = await importing([{ email: GRACE, role: 'admin' }, { email: 'new@example.com' }]);
      const token = await mint(['users:write', 'history:read']);
      for (const query of ['', '?partial=true']) {
        await expectProblem(await undoWith(token, await undoPath(requestId, query)), 403, 'forbidden');
      }
      expect(await accountsIn(app.database)).to.have.length(3);
    });
  });
});

describe('undoing a request whose author loses the right meanwhile', () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await startApp();
    await addAccount(app.database, ADMIN, { role: 'admin' });
    await addAccount(app.database, GRACE, { role: 'admin' });
  });
  afterEach(() => app.close());

  it('writes nothing', async () => {
    const visit = visitor(app, ADMIN);
    const { id } = await visit.done<{ id: number }>(201, 'POST', '/v1/users', { email: 'new@example.com' });
    const [entry] = await visit.history({ userId: `${id}` });
    const session = await app.database.connect();
    await session.query(`begin; select from users where id = ${id} for update`);
    const undoing = visit.send('POST', `/v1/history/${entry?.id}/undo-request`);
    // It waits for the account, and its author is demoted meanwhile.
    const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await until('the undo to wait', async () => (await app.database.query(waiting)).length > 0);
    await app.database.query(`update users set role = 'user', version = version + 1 where id = 1`);
    await session.query('commit');
    await session.end();
    await expectProblem(await undoing, 403, 'forbidden');
    expect(await accountsIn(app.database)).to.have.length(3);
  });
});
