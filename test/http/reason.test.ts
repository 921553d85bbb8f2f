import { expect } from 'chai';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import { eraseAccounts } from '../../src/services/history/erasure.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { conforming } from '../support/conformance.ts';
import type { Entry, HistoryPage } from '../support/history.ts';
import { expectProblem } from '../support/problem.ts';

const ADMIN = 'ada@example.com';
const GRACE = 'grace@example.com';
const NDJSON = 'application/x-ndjson';

/** A write with a reason, by default by the admin; `reason` is sent as it is. */
interface Write {
  readonly body?: unknown;
  readonly reason?: string | undefined;
  readonly as?: string;
  readonly token?: string;
  readonly headers?: Record<string, string>;
}

describe('the reason of a write', () => {
  let app: TestApp;

  const start = async (options: Parameters<typeof startApp>[0] = {}) => {
    app = await conforming(await startApp(options));
    await addAccount(app.database, ADMIN, { role: 'admin' });
    await addAccount(app.database, GRACE);
  };
  afterEach(() => app.close());

  const send = (method: string, path: string, { body, reason, as = ADMIN, token, headers }: Write = {}) =>
    app.call(path, {
      method,
      ...(token === undefined && { as }),
      headers: {
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...(reason !== undefined && { 'Rollcall-Reason': reason }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  const done = async <T = Record<string, unknown>>(...request: Parameters<typeof send>) => {
    const response = await send(...request);
    const text = await response.text();
    expect(response.ok, `${request[0]} ${request[1]}: ${text}`).to.equal(true);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  };
  const entries = async (path = '/v1/history', as = ADMIN) =>
    (await done<HistoryPage>('GET', path, { as })).items;
  const latest = async () => ((await entries('/v1/history?limit=1')) as [Entry])[0];

  describe('where it is optional', () => {
    beforeEach(() => start());

    it('is kept in the history by every way to write, in any script', async () => {
      const said = 'Läuft aus: 契約が終わりました 👩‍💻 100 %';
      const reason = encodeURIComponent(said);
      const upload = { headers: { 'Content-Type': NDJSON } };
      const writes: [method: string, path: string, write?: Write][] = [
        ['POST', '/v1/users', { body: { email: 'new@example.com' } }],
        ['PATCH', '/v1/users/2', { body: { name: 'Grace' } }],
        // In a transaction, because of the key.
        ['PATCH', '/v1/users/2', { body: { name: 'Hopper' }, headers: { 'Idempotency-Key': '"k"' } }],
        ['PATCH', '/v1/me', { body: { name: 'Ada' } }],
        ['PUT', '/v1/me/preferences', { body: { theme: 'dark' } }],
        ['POST', '/v1/users/import?mode=upsert', { ...upload, body: `{"email":"${GRACE}","name":"G"}` }],
        ['POST', '/v1/users/import', { ...upload, body: '{"email":"imported@example.com"}' }],
        ['POST', '/v1/users/bulk', { body: { ids: [2], status: 'suspended' } }],
        ['DELETE', '/v1/users/2'],
      ];
      for (const [method, path, write] of writes) {
        await done(method, path, { ...write, reason });
        expect((await latest()).reason, `${method} ${path}`).to.equal(said);
      }
      const { id } = await latest();
      const undone = await done<Entry>('POST', `/v1/history/${id}/undo`, { reason: 'Too%20early' });
      expect([undone.reason, undone.undoes]).to.deep.equal(['Too early', id]);
      const report = await done<{ changes: Entry[] }>('POST', `/v1/history/${undone.id}/undo-request`, {
        reason: 'plain words, as they are',
      });
      expect(report.changes[0]?.reason).to.equal('plain words, as they are');
      // And by none that gives none.
      await done('POST', '/v1/users', { body: { email: 'other@example.com' } });
      expect((await latest()).reason).to.equal(null);
    });

    it('is shown wherever the change is', async () => {
      await done('PATCH', '/v1/users/2', { body: { name: 'Grace' }, reason: 'shown' });
      const shown = [
        await latest(),
        (await entries('/v1/users/2/history'))[0],
        (await entries('/v1/me/history', GRACE))[0],
        (await done<{ history: Entry[] }>('GET', '/v1/me/export', { as: GRACE })).history.at(-1),
        (await done<{ items: Entry[] }>('GET', '/v1/changes')).items.at(-1),
      ];
      expect(shown.map((entry) => entry?.reason)).to.deep.equal(shown.map(() => 'shown'));
      const dry = await done<{ changes: Entry[] }>('PATCH', '/v1/users/2?dryRun=true', {
        body: { name: 'X' },
        reason: 'tried',
      });
      expect(dry.changes[0]?.reason).to.equal('tried');
      const undo = await done<{ changes: Entry[] }>(
        'POST',
        `/v1/history/${(await latest()).id}/undo?dryRun=true`,
        { reason: 'tried too' },
      );
      expect(undo.changes[0]?.reason).to.equal('tried too');
    });

    it('is refused where it is not valid, and nothing is written', async () => {
      const before = await accountsIn(app.database);
      for (const [reason, says] of [
        ['', 'must have 1 to 500 characters'],
        ['x'.repeat(501), 'must have 1 to 500 characters'],
        [encodeURIComponent('é'.repeat(501)), 'must have 1 to 500 characters'],
        ['%', 'must be percent-encoded UTF-8: write % as %25'],
        ['100%', 'must be percent-encoded UTF-8: write % as %25'],
        ['%E9', 'must be percent-encoded UTF-8: write % as %25'],
        ['%ED%A0%80', 'must be percent-encoded UTF-8: write % as %25'],
        ['caf\u00e9', 'must be percent-encoded UTF-8: write % as %25'],
        ['a%0Ab', 'must not contain line breaks, control or invisible characters'],
        ['a%00b', 'must not contain line breaks, control or invisible characters'],
        ['a%E2%80%A8b', 'must not contain line breaks, control or invisible characters'],
        ['a%E2%80%A9b', 'must not contain line breaks, control or invisible characters'],
        ['a%E2%80%AEb', 'must not contain line breaks, control or invisible characters'],
        ['%20%C2%A0', 'must have a visible character'],
      ] as const) {
        for (const [method, path, body] of [
          ['PATCH', '/v1/users/2', { name: 'X' }],
          ['DELETE', '/v1/me', undefined],
          ['POST', '/v1/users/bulk', { ids: [2], role: 'admin' }],
        ] as const) {
          const response = await send(method, path, { body, reason });
          expect((await response.clone().json()) as object, reason).to.include({
            detail: `Rollcall-Reason ${says}.`,
          });
          await expectProblem(response, 400, 'reason_invalid');
        }
      }
      expect(await accountsIn(app.database)).to.deep.equal(before);
      const longest = encodeURIComponent('é'.repeat(500));
      await done('PATCH', '/v1/users/2', { body: { name: 'X' }, reason: longest });
      expect((await latest()).reason).to.equal('é'.repeat(500));
      // A read passes over it.
      await done('GET', '/v1/me', { reason: '%' });
    });

    it('is erased with the values of its entry, and stays in the entries of others', async () => {
      await done('PATCH', '/v1/users/2', { body: { role: 'admin' }, reason: 'about Grace' });
      await done('PATCH', '/v1/users/1', { body: { name: 'Ada' }, reason: 'about Ada', as: GRACE });
      await done('DELETE', '/v1/users/2', { reason: 'Grace leaves' });
      await unitsOfWork(app.orm, COMMAND_LINE)((unit) => eraseAccounts(unit, GRACE));
      expect(
        await app.database.query(`select 1 from changes where user_id = 2 and reason is not null`),
      ).to.deep.equal([]);
      expect((await entries('/v1/users/1/history'))[0]).to.include({
        actor: 'erased-2',
        reason: 'about Ada',
      });
      // So is that of a deletion that erases at once.
      const { id } = await done<{ id: number }>('POST', '/v1/users', {
        body: { email: 'x@example.com' },
        reason: 'x',
      });
      await unitsOfWork(
        app.orm,
        COMMAND_LINE,
      )(async (unit) => {
        unit.reason = 'erased at once';
        await eraseAccounts(unit, 'x@example.com');
      });
      expect(await app.database.query(`select reason from changes where user_id = $1`, [id])).to.deep.equal([
        { reason: null },
        { reason: null },
      ]);
    });

    it('is erased from the kept answer of an undo too', async () => {
      await done('PATCH', '/v1/users/2', { body: { name: 'Secret' }, reason: 'why' });
      const { id } = await latest();
      await done('POST', `/v1/history/${id}/undo-request`, {
        reason: 'Grace asked',
        headers: { 'Idempotency-Key': '"undo"' },
      });
      const kept = () => app.database.query(`select 1 from kept_answers where body like '%Secret%'`);
      expect(await kept()).to.have.length(1);
      await unitsOfWork(app.orm, COMMAND_LINE)((unit) => eraseAccounts(unit, GRACE));
      expect(await kept()).to.deep.equal([]);
    });

    it('counts among the history that an account writes', async () => {
      await app.close();
      app = await startApp({ rateLimit: { historyBytes: 4_096 } });
      await addAccount(app.database, GRACE);
      const rename = (name: string) =>
        send('PATCH', '/v1/me', { as: GRACE, body: { name }, reason: encodeURIComponent('語'.repeat(500)) });
      const answers = [await rename('A'), await rename('B'), await rename('C'), await rename('D')];
      expect(answers.map(({ status }) => status))
        .to.include(429)
        .and.to.include(200);
    });
  });

  describe('with REASON_REQUIRED', () => {
    beforeEach(() => start({ reasonRequired: true }));

    it('must be given for what is done to other accounts', async () => {
      await done('PATCH', '/v1/users/2', { body: { name: 'Grace' }, reason: 'first' });
      const { id } = await latest();
      const upload = { headers: { 'Content-Type': NDJSON } };
      const { token } = await done<{ token: string }>('POST', '/v1/service-tokens', {
        body: { name: 'writer', scopes: ['users:write'], expiresAt: null },
      });
      const before = await accountsIn(app.database);
      const writes: [method: string, path: string, write?: Write][] = [
        ['POST', '/v1/users', { body: { email: 'new@example.com' } }],
        ['POST', '/v1/users', { body: { email: 'new@example.com' }, token }],
        ['PATCH', '/v1/users/2', { body: { role: 'admin' } }],
        ['PATCH', '/v1/users/2', { body: { name: 'X' }, token }],
        ['PATCH', '/v1/users/2', { body: { name: 'X' }, headers: { 'Idempotency-Key': '"k"' } }],
        ['POST', '/v1/users/bulk', { body: { ids: [1, 2], role: 'admin' } }],
        ['POST', '/v1/users/import?mode=upsert', { ...upload, body: `{"email":"${GRACE}","name":"G"}` }],
        ['POST', '/v1/users/import', { ...upload, body: '{"email":"imported@example.com"}' }],
        ['POST', `/v1/history/${id}/undo`],
        ['POST', `/v1/history/${id}/undo-request`],
        ['DELETE', '/v1/users/2'],
      ];
      for (const [method, path, write] of writes)
        await expectProblem(await send(method, path, write), 400, 'reason_required');
      expect(await accountsIn(app.database)).to.deep.equal(before);
      for (const [method, path, write] of writes) {
        // A dry run records nothing.
        await done(method, `${path}${path.includes('?') ? '&' : '?'}dryRun=true`, write);
      }
      for (const [method, path, write] of writes.slice(1))
        await send(method, path, { ...write, reason: 'given' });
      expect(await accountsIn(app.database)).not.to.deep.equal(before);
    });

    it('need not be given for one’s own account, nor for what changes nothing', async () => {
      await done('PATCH', '/v1/me', { body: { name: 'Ada' } });
      await done('PATCH', '/v1/users/1', { body: { name: 'Lovelace' } });
      await done('PUT', '/v1/me/preferences', { body: { theme: 'dark' }, as: GRACE });
      await done('PATCH', '/v1/users/2', { body: { role: 'user' } });
      await done('POST', `/v1/history/${(await entries('/v1/me/history'))[0]?.id}/undo`);
      await done('DELETE', '/v1/me', { as: GRACE });
      expect(await accountsIn(app.database)).to.have.length(1);
    });
  });
});
