import { expect } from 'chai';
import { COMMAND_LINE } from '../../../src/domain/author.ts';
import type { Preferences } from '../../../src/domain/preferences.ts';
import {
  accountByEmail,
  changeAccount,
  createAccount,
  setPreferences,
} from '../../../src/services/accounts/accounts.ts';
import { eraseAccounts } from '../../../src/services/history/erasure.ts';
import { undoChange } from '../../../src/services/history/undo.ts';
import { type Finding, MAX_FINDINGS, verifyHistory } from '../../../src/services/history/verification.ts';
import { ndjson } from '../../../src/services/transfer/formats/ndjson.ts';
import { importAccounts } from '../../../src/services/transfer/import.ts';
import type { UnitOfWork } from '../../../src/store/unit.ts';
import { testStore } from '../../support/store.ts';

const rules = { maxBytes: 10_000 };

describe('history verification', () => {
  const store = testStore();

  const inUnit: UnitOfWork = (work, options) => store.as(COMMAND_LINE)(work, options);
  const verify = () => inUnit(({ em }) => verifyHistory(em), { readOnly: true });
  const invite = (email: string, preferences: Preferences = {}) =>
    inUnit(async (unit) => createAccount(unit, { email, preferences }, rules));
  const change = (email: string, changes: Parameters<typeof changeAccount>[1]) =>
    inUnit(async (unit) => changeAccount(await accountByEmail(unit.em, email), changes, rules));
  const put = (email: string, preferences: Preferences) =>
    inUnit(async (unit) => setPreferences(await accountByEmail(unit.em, email), preferences, rules));
  const remove = (email: string) =>
    inUnit(async (unit) => {
      unit.em.remove(await accountByEmail(unit.em, email));
    });
  const undoLast = () =>
    inUnit(async (unit) => {
      const [last] = await store.database.query<{ id: string }>('select max(id) as id from changes');
      await undoChange(unit, Number(last?.id), rules);
    });
  const importLines = (...lines: object[]) => {
    const bytes = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const read = ndjson.read(
      (async function* () {
        yield bytes;
      })(),
    );
    return inUnit((unit) => importAccounts(unit, read, { mode: 'upsert', partial: false, rules }), {
      replays: false,
    });
  };
  const fields = (findings: readonly Finding[]) => findings.map(({ field }) => field);

  it('reports no findings for an empty database', async () => {
    expect(await verify()).to.deep.equal({ accounts: 0, changes: 0, wrong: 0, findings: [] });
  });

  it('reports no findings after every kind of change that the service makes', async () => {
    await invite('ada@example.com', {
      theme: 'dark',
      n: 1e-7,
      big: 9007199254740991,
      half: 0.5,
      list: [null, 1.5],
    });
    await change('ada@example.com', {
      name: 'Ада "\\ 😀',
      storageMode: 'account',
      preferences: { theme: null, deep: { a: { b: 1 } } },
    });
    await put('ada@example.com', { deep: { a: [] }, '': { '.': 'x' } });
    await change('ada@example.com', {
      email: 'ada@other.example',
      status: 'suspended',
      storageMode: 'account',
    });
    await invite('grace@example.com', { theme: 'dark' });
    await put('grace@example.com', {});
    await remove('grace@example.com');
    await undoLast();
    await undoLast();
    await undoLast();
    await importLines(
      { email: 'alan@example.com', preferences: { a: 1 } },
      { email: 'ada@other.example', name: null, preferences: {} },
      { email: 'alan@example.com', preferences: { a: 1, b: -0 } },
      { email: 'alan@example.com', status: 'suspended' },
    );
    await invite('gone@example.com');
    await inUnit((unit) => eraseAccounts(unit, 'gone@example.com'));
    expect(await verify()).to.deep.equal({ accounts: 3, changes: 16, wrong: 0, findings: [] });
  });

  it('accepts an entry from before a nullable column existed, and undoes it', async () => {
    await invite('ada@example.com');
    await store.database.query(`update changes set after = after - 'name'`);
    expect(await verify()).to.include({ accounts: 1, wrong: 0 });
    await undoLast();
    expect(await verify()).to.include({ accounts: 0, wrong: 0 });
  });

  it('does not undo a creation over a later change of a field that its entry does not have', async () => {
    await invite('ada@example.com');
    const [created] = await store.database.query<{ id: string }>(
      `update changes set after = after - 'name' returning id`,
    );
    await change('ada@example.com', { name: 'Ada' });
    const outcome = await inUnit((unit) => undoChange(unit, Number(created?.id), rules)).then(
      () => 'undone',
      (error: { code?: string }) => error.code,
    );
    expect(outcome).to.equal('changed_since');
  });

  it('accepts an account that is older than its history', async () => {
    await store.database.query(`
      insert into users (email, preferences, version, created_at, updated_at) values
        ('ada@example.com', '{"old": null, "n": 1.50, "deep": {"old": null, "x": 1.0}}', 7, now() - interval '1.234567 days', now() - interval '0.1 days'),
        ('grace@example.com', null, 3, now() - interval '9 years', now())`);
    await store.database.query(`
      insert into changes (at, actor, user_id, action, after, fields, version)
      select updated_at, 'boot', id, 'created',
             jsonb_build_object('email', email, 'name', name, 'role', role, 'status', status, 'storageMode', storage_mode,
               'preferences', coalesce(preferences, '{}'), 'createdAt', created_at), '{}', version from users`);
    expect(await verify()).to.include({ accounts: 2, wrong: 0 });
    await change('ada@example.com', { preferences: { deep: { x: 2 } } });
    expect(await verify()).to.include({ wrong: 0 });
    await put('ada@example.com', { deep: { x: 3 } });
    await remove('grace@example.com');
    expect(await verify()).to.deep.equal({ accounts: 1, changes: 5, wrong: 0, findings: [] });
  });

  describe('finds', () => {
    let id: number;

    beforeEach(async () => {
      await invite('first@example.com');
      ({ id } = await invite('ada@example.com', { a: 1, text: 'x' }));
      await change('ada@example.com', { name: 'Ada', preferences: { a: 2 } });
      await invite('last@example.com');
      await remove('last@example.com');
    });

    const columns: [sql: string, field: string, expected: unknown, found: unknown][] = [
      [`email = 'eve@example.com'`, 'email', 'ada@example.com', 'eve@example.com'],
      ['name = null', 'name', 'Ada', null],
      [`name = 'Ada '`, 'name', 'Ada', 'Ada '],
      [`role = 'admin'`, 'role', 'user', 'admin'],
      [`status = 'suspended'`, 'status', 'active', 'suspended'],
      [`storage_mode = 'account'`, 'storageMode', 'local', 'account'],
      ['version = 9', 'version', 2, 9],
      [
        `preferences = preferences || '{"b": 1}'`,
        'preferences',
        '{"a": 2, "text": "x"}',
        '{"a": 2, "b": 1, "text": "x"}',
      ],
      [
        `preferences = preferences || '{"a": 2.0}'`,
        'preferences',
        '{"a": 2, "text": "x"}',
        '{"a": 2.0, "text": "x"}',
      ],
      ['preferences = null', 'preferences', '{"a": 2, "text": "x"}', '{}'],
    ];
    for (const [sql, field, expected, found] of columns) {
      it(`a row that differs from the history: ${sql}`, async () => {
        await store.database.query(`update users set ${sql} where id = $1`, [id]);
        expect(await verify()).to.deep.include({
          wrong: 1,
          findings: [{ userId: id, changeId: null, field, expected, found }],
        });
      });
    }

    for (const column of ['created_at', 'updated_at']) {
      it(`a difference of a microsecond in ${column}`, async () => {
        await store.database.query(
          `update users set ${column} = ${column} + interval '1 microsecond' where id = $1`,
          [id],
        );
        const { wrong, findings } = await verify();
        expect([wrong, fields(findings)]).to.deep.equal([
          1,
          [column === 'created_at' ? 'createdAt' : 'updatedAt'],
        ]);
      });
    }

    const histories: [what: string, sql: string, fields: string[]][] = [
      ['an account without a history', 'delete from changes where user_id = $1', ['exists']],
      ['an account deleted without an entry', 'delete from users where id = $1', ['exists']],
      [
        'a missing creation before an update',
        `delete from changes where user_id = $1 and action = 'created'`,
        ['action', 'email', 'role', 'status', 'storageMode', 'createdAt', 'preferences'],
      ],
      [
        'a missing last entry',
        `delete from changes where user_id = $1 and version = 2`,
        ['name', 'version', 'updatedAt', 'preferences'],
      ],
      [
        'a duplicate entry',
        `insert into changes (actor, user_id, action, before, after, fields, version) select actor, user_id, action, before, after, fields, version from changes where user_id = $1 and version = 2`,
        ['version', 'before', 'updatedAt'],
      ],
      [
        'a gap in the versions',
        'update changes set version = 5 where user_id = $1 and version = 2',
        ['version', 'version'],
      ],
      [
        'an altered value in after',
        `update changes set after = after || '{"name":"Eve"}' where user_id = $1 and version = 2`,
        ['name'],
      ],
      [
        'an altered value in before',
        `update changes set before = '{"name":null,"preferences":{"a":7}}' where user_id = $1 and version = 2`,
        ['before'],
      ],
      [
        'an entry without values',
        'update changes set before = null, after = null where user_id = $1 and version = 2',
        ['before', 'after', 'name', 'preferences'],
      ],
      [
        'an existing account with an erased history',
        'update changes set before = null, after = null, erased_at = now() where user_id = $1',
        ['erased'],
      ],
      [
        'a partly erased history',
        'update changes set before = null, after = null, erased_at = now() where user_id = $1 and version = 1',
        ['erased', 'before', 'email', 'role', 'status', 'storageMode', 'preferences'],
      ],
      [
        'values in an erased entry',
        `update changes set erased_at = now() where user_id = $1 + 1`,
        ['after', 'before'],
      ],
      [
        'an account that exists after its deletion',
        `insert into users (id, email) values ($1 + 1, 'x@example.com')`,
        ['exists'],
      ],
      [
        'a change after a deletion',
        `insert into changes (actor, user_id, action, before, after, fields, version) values ('x', $1 + 1, 'updated', '{"name":null}', '{"name":"x"}', '{name}', 3)`,
        ['action', 'exists'],
      ],
      [
        'a second creation',
        `insert into changes (at, actor, user_id, action, after, fields, version) select at - interval '1 second', actor, user_id, action, after, fields, 0 from changes where user_id = $1 and action = 'created'`,
        ['action'],
      ],
      [
        'a deletion with another email than the account had',
        `update changes set before = before || '{"email":"x@example.com"}' where user_id = $1 + 1 and action = 'deleted'`,
        ['before'],
      ],
      [
        'a deletion with an earlier creation time than the account had',
        `update changes set before = before || '{"createdAt":"2020-01-01T00:00:00Z"}' where user_id = $1 + 1 and action = 'deleted'`,
        ['before.createdAt'],
      ],
    ];
    for (const [what, sql, expected] of histories) {
      it(what, async () => {
        await store.database.query(sql, [id]);
        const { findings } = await verify();
        expect(fields(findings)).to.deep.equal(expected);
      });
    }
  });

  it('counts every wrong account, and reports a bounded number of findings with shortened values', async () => {
    await importLines(...Array.from({ length: 700 }, (_, n) => ({ email: `u${n}@example.com` })));
    await store.database.query(`update users set preferences = jsonb_build_object('x', repeat('x', 5000))`);
    const { accounts, wrong, findings } = await verify();
    expect([accounts, wrong, findings.length]).to.deep.equal([700, 700, MAX_FINDINGS]);
    expect(findings[0]?.found).to.have.length(200);
  });

  it('reads one snapshot and does not block writers', async () => {
    await importLines(...Array.from({ length: 2_000 }, (_, n) => ({ email: `u${n}@example.com` })));
    let isDone = false;
    const writer = async (name: string) => {
      for (let n = 0; !isDone; n++) await change(`u${n % 2_000}@example.com`, { name: `${name} ${n}` });
    };
    const writing = [writer('a'), writer('b')];
    try {
      for (let n = 0; n < 5; n++) expect(await verify()).to.include({ accounts: 2_000, wrong: 0 });
    } finally {
      isDone = true;
      await Promise.all(writing);
    }
    expect(await verify()).to.include({ accounts: 2_000, wrong: 0 });
  });
});
