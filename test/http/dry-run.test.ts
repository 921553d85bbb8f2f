import { expect } from 'chai';
import { isWrite } from '../../src/http/endpoint.ts';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp } from '../support/app.ts';
import { type ConformingApp, conforming } from '../support/conformance.ts';
import { describedEndpoints } from '../support/endpoints.ts';
import { type Entry, visitor } from '../support/history.ts';
import { insist } from '../support/insistent.ts';
import { expectProblem } from '../support/problem.ts';

const ADMIN = 'ada@example.com';
const GRACE = 'grace@example.com';
const NDJSON = 'application/x-ndjson';

/** A write, made by the admin unless `as` is set. `{grace}` and `{entry}` stand for ids. */
interface Write {
  readonly path?: string;
  readonly query?: string;
  readonly as?: string;
  readonly type?: string;
  readonly body?: string;
}

/** For each write endpoint, a write that changes something. */
const WRITES: Readonly<Record<string, Write>> = {
  'PATCH /v1/me': { as: GRACE, body: '{"name":"Hopper","preferences":{"theme":"dark"}}' },
  'DELETE /v1/me': { as: GRACE },
  'PUT /v1/me/preferences': { as: GRACE, body: '{"theme":"dark"}' },
  'PATCH /v1/me/preferences': { as: GRACE, body: '{"editor":{"tabs":4}}' },
  'POST /v1/users': { body: '{"email":"new@example.com","role":"admin","preferences":{"a":1}}' },
  'POST /v1/users/import': {
    query: 'mode=upsert&partial=true',
    type: NDJSON,
    body: `{"email":"${GRACE}","role":"admin"}\n{"email":"new@example.com"}\n{"email":"nonsense"}\n`,
  },
  'POST /v1/users/bulk': { body: '{"ids":[{grace},999],"role":"admin"}' },
  'PATCH /v1/users/:id': { path: '/v1/users/{grace}', body: '{"role":"admin","status":"suspended"}' },
  'DELETE /v1/users/:id': { path: '/v1/users/{grace}' },
  'POST /v1/history/:id/undo': { path: '/v1/history/{entry}/undo' },
  'POST /v1/history/:id/undo-request': { path: '/v1/history/{entry}/undo-request' },
};

/** Writes without history entries. The suites of identities, service tokens, sessions and webhooks test their dry runs. */
const WITHOUT_HISTORY = [
  'DELETE /v1/users/:id/identities/:identityId',
  'POST /v1/service-tokens',
  'DELETE /v1/service-tokens/:id',
  'DELETE /v1/sessions/:id',
  'DELETE /v1/me/sessions/:id',
  'POST /v1/webhooks/:name/resume',
  'POST /v1/webhooks/:name/test',
];

describe('a dry run', () => {
  let app: ConformingApp;
  let visit: ReturnType<typeof visitor>;
  let graceId: number;
  let entryId: number;

  beforeEach(async () => {
    app = await conforming(await startApp());
    await addAccount(app.database, ADMIN, { role: 'admin' });
    graceId = (
      await addAccount(app.database, GRACE, { preferences: { theme: 'light', editor: { tabs: 2 } } })
    ).id;
    visit = visitor(app, ADMIN);
    await visit.done(200, 'PATCH', `/v1/users/${graceId}`, { name: 'Grace' });
    entryId = ((await visit.history()) as [Entry])[0].id;
  });

  afterEach(() => app.close());

  const stored = async () => ({
    users: await accountsIn(app.database),
    changes: await app.database.query('select changes.*, transaction_id::text from changes order by id'),
    fields: await app.database.query('select * from change_fields order by change_id, field'),
  });
  const write = (name: string, query: string, headers: Record<string, string> = {}) => {
    const [method = '', route = ''] = name.split(' ');
    const { path = route, as = ADMIN, type = 'application/json', body, ...more } = WRITES[name] as Write;
    const at = path.replace('{grace}', `${graceId}`).replace('{entry}', `${entryId}`);
    return app.call(`${at}?${[more.query, query].filter(Boolean).join('&')}`, {
      method,
      as,
      headers: { ...headers, ...(body !== undefined && { 'Content-Type': type }) },
      ...(body !== undefined && { body: body.replace('{grace}', `${graceId}`) }),
    });
  };
  const dry = (method: string, path: string, body?: unknown, as = ADMIN) =>
    visit.send(method, `${path}?dryRun=true`, body, as);

  it('is tested for every write endpoint', () => {
    const writes = describedEndpoints()
      .filter(isWrite)
      .map(({ method, path }) => `${method} ${path}`);
    expect([...Object.keys(WRITES), ...WITHOUT_HISTORY]).to.have.members(writes);
  });

  for (const name of Object.keys(WRITES)) {
    it(`of ${name} returns the history entries that the write adds, and leaves no trace`, async () => {
      const before = await stored();
      const response = await write(name, 'dryRun=true');
      expect(response.status).to.equal(200);
      expect(response.headers.get('content-type')).to.equal('application/json; charset=utf-8');
      for (const header of ['etag', 'location']) expect(response.headers.get(header)).to.equal(null);
      const { changes, ...result } = (await response.json()) as { changes: Omit<Entry, 'id'>[] };
      expect(changes).not.to.deep.equal([]);
      expect(await stored()).to.deep.equal(before);

      const written = await write(name, 'dryRun=false');
      expect(written.ok, await written.clone().text()).to.equal(true);
      if (name.endsWith('import')) {
        const { wouldCreate: created, wouldUpdate: updated, ...rest } = result as Record<string, unknown>;
        expect(rest).to.include({ created: 0, updated: 0 });
        expect(await written.json()).to.deep.equal({ ...rest, created, updated });
      } else if (name.endsWith('bulk')) {
        const { wouldChange: changed, requestId, ...rest } = result as Record<string, unknown>;
        expect(rest).to.deep.equal({ changed: 0, unchanged: 0, missing: 1, missingIds: [999] });
        expect(await written.json()).to.deep.include({ ...rest, changed });
      } else if (name.endsWith('undo-request')) {
        const { wouldUndo: undone, requestId, ...rest } = result as Record<string, unknown>;
        expect(rest).to.include({ undone: 0 });
        expect(await written.json()).to.deep.include({ ...rest, undone });
      } else expect(result).to.deep.equal({});
      const history = (await app.call(`/v1/history?limit=${changes.length}`, { as: ADMIN })).json();
      // Times, request ids and the ids of new accounts differ between the dry run and the write.
      const reproducible = ({ at, requestId, userId, ...rest }: Omit<Entry, 'id'>) =>
        rest.action === 'created' ? rest : { ...rest, userId };
      const recorded = ((await history) as { items: Entry[] }).items.map(({ id, ...entry }) =>
        reproducible(entry),
      );
      expect(changes.map(reproducible)).to.have.deep.members(recorded);
    });

    it(`of ${name} is refused for any other spelling of dryRun=true`, async () => {
      for (const query of [
        'dryRun=maybe',
        'dryRun=',
        'dryRun=1',
        'dryRun=TRUE',
        'dryRun=true&dryRun=true',
        'dryrun=true',
      ]) {
        await expectProblem(await write(name, query), 400, 'invalid_query');
      }
    });
  }

  it('is refused on reads', async () => {
    for (const path of ['/v1/me', '/v1/users', '/v1/history', '/readyz'])
      await expectProblem(await dry('GET', path), 400, 'invalid_query');
  });

  it('of a write that changes nothing returns no changes', async () => {
    const response = await dry('PATCH', '/v1/me', { preferences: { none: null } });
    expect(await response.json()).to.deep.equal({ changes: [] });
  });

  it('is refused for the same reasons as the write', async () => {
    const before = await stored();
    const [creation] = await visit.history({}, '/v1/me/history');
    const upload = { method: 'POST', as: ADMIN, headers: { 'Content-Type': NDJSON } };
    for (const [response, status, code] of [
      [dry('PATCH', '/v1/users/1', { role: 'user' }), 409, 'last_admin'],
      [dry('DELETE', '/v1/users/1'), 409, 'last_admin'],
      [dry('DELETE', '/v1/me'), 409, 'last_admin'],
      [dry('POST', `/v1/history/${creation?.id}/undo`), 409, 'last_admin'],
      [
        app.call('/v1/users/import?dryRun=true&mode=upsert', {
          ...upload,
          body: `{"email":"${ADMIN}","role":"user"}`,
        }),
        409,
        'last_admin',
      ],
      [dry('POST', '/v1/users', { email: GRACE.toUpperCase() }), 409, 'email_taken'],
      [dry('PATCH', `/v1/users/${graceId}`, { email: ADMIN }), 409, 'email_taken'],
      [dry('POST', '/v1/users', { email: 'nonsense' }), 422, 'email_invalid'],
      [dry('PUT', '/v1/me/preferences', { a: 'x'.repeat(20_000) }), 422, 'invalid_input'],
      [dry('PATCH', '/v1/users/999', {}), 404, 'not_found'],
      [dry('POST', '/v1/history/999/undo'), 404, 'not_found'],
      [dry('POST', '/v1/users', {}, GRACE), 403, 'forbidden'],
    ] as const) {
      await expectProblem(await response, status, code);
    }
    const stale = { 'If-Match': '"1"' };
    for (const name of Object.keys(WRITES).filter((name) => /^(PATCH|PUT|DELETE) /.test(name))) {
      const response = await write(name, 'dryRun=true', stale);
      expect(response.headers.get('etag'), name).to.equal('"2"');
      await expectProblem(response, 412, 'precondition_failed');
      expect((await write(name, 'dryRun=true', { 'If-Match': '"2"' })).status, name).to.equal(200);
    }
    await visit.done(200, 'PATCH', `/v1/users/${graceId}`, { name: 'Hopper' });
    const conflict = await dry('POST', `/v1/history/${entryId}/undo`);
    expect(await conflict.json()).to.deep.include({ code: 'changed_since', fields: ['name'] });
    expect((await stored()).users[0]).to.deep.equal(before.users[0]);
  });

  it('of a large import returns the first 1,000 changes', async () => {
    const before = await stored();
    const body = Array.from({ length: 2_500 }, (_, n) => `{"email":"u${n}@example.com"}`).join('\n');
    const headers = { 'Content-Type': NDJSON };
    const response = await app.call('/v1/users/import?dryRun=true', {
      method: 'POST',
      as: ADMIN,
      headers,
      body,
    });
    const { changes, ...report } = (await response.json()) as { changes: Entry[] };
    expect(report).to.include({ created: 0, updated: 0, failed: 0, wouldCreate: 2_500, wouldUpdate: 0 });
    expect(changes.map(({ after }) => after?.['email'])).to.deep.equal(
      Array.from({ length: 1_000 }, (_, n) => `u${n}@example.com`),
    );
    expect(await stored()).to.deep.equal(before);
  });

  it('does not disturb concurrent writes, and is not disturbed by them', async () => {
    const body = (n: number) => ({ preferences: { [`key${n}`]: n } });
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        insist(() =>
          n % 2 === 0
            ? dry('PATCH', '/v1/me', body(n), GRACE)
            : visit.send('PATCH', '/v1/me', body(n), GRACE),
        ),
      ),
    );
    expect(answers.map(({ status }) => status)).to.deep.equal(Array(40).fill(200));
    for (const [n, answer] of answers.entries()) {
      if (n % 2 > 0) continue;
      const { changes } = (await answer.json()) as { changes: Entry[] };
      expect(changes.map(({ after }) => after)).to.deep.equal([body(n)]);
    }
    expect(await visit.done(200, 'GET', '/v1/me', undefined, GRACE)).to.include({ version: 22 });
    expect(await visit.history({}, '/v1/me/history', GRACE)).to.have.length(22);
  });
});
