import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { preferenceRules } from '../../src/services/accounts/preferences-schema.ts';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { createMigratedDatabase } from '../support/database.ts';
import { expectProblem } from '../support/problem.ts';
import { startServer } from '../support/server-process.ts';

const SCHEMA = {
  type: 'object',
  properties: {
    theme: { enum: ['dark', 'light'] },
    contact: {
      type: 'object',
      properties: { mail: { type: 'string', format: 'email' } },
      required: ['mail'],
    },
  },
  additionalProperties: false,
};

describe("the operator's schema for preferences", () => {
  let folder: string;
  let app: TestApp | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rollcall-schema-'));
  });

  afterEach(async () => {
    await app?.close();
    app = undefined;
    await rm(folder, { recursive: true });
  });

  const rulesOf = async (text: string) => {
    const schema = join(folder, 'preferences.json');
    await writeFile(schema, text);
    return preferenceRules({ maxBytes: 16_384, schema });
  };

  it('applies to the result of every write, through the API or an import', async () => {
    app = await startApp({ preferenceRules: await rulesOf(JSON.stringify(SCHEMA)) });
    await addAccount(app.database, 'ada@example.com', { role: 'admin', preferences: { theme: 'dark' } });
    const send = (method: string, path: string, body: string, type = 'application/json') =>
      (app as TestApp).call(path, { method, as: 'ada@example.com', body, headers: { 'Content-Type': type } });
    const refused: [method: string, path: string, body: string, paths: string[]][] = [
      ['PATCH', '/v1/me', '{"preferences":{"theme":"blue"}}', ['preferences.theme']],
      ['PATCH', '/v1/me/preferences', '{"a/b~c":1,"theme":2}', ['preferences.a/b~c', 'preferences.theme']],
      ['PUT', '/v1/me/preferences', '{"contact":{}}', ['preferences.contact']],
      ['PATCH', '/v1/users/1', '{"preferences":{"contact":{"mail":"x"}}}', ['preferences.contact.mail']],
      ['POST', '/v1/users', '{"email":"b@example.com","preferences":{"x":1}}', ['preferences.x']],
    ];
    for (const [method, path, body, paths] of refused) {
      const problem = await expectProblem(await send(method, path, body), 422, 'invalid_input');
      const errors = problem['errors'] as { path: string }[];
      expect(errors.map((error) => error.path)).to.have.members(paths);
    }
    const line = '{"email":"b@example.com","preferences":{"theme":"blue"}}\n';
    const imported = await send('POST', '/v1/users/import?partial=true', line, 'application/x-ndjson');
    expect(await imported.json()).to.deep.include({ created: 0, failed: 1 });
    const [ada, ...others] = await accountsIn(app.database);
    expect([ada?.preferences, ada?.version, others]).to.deep.equal([{ theme: 'dark' }, 1, []]);
    expect((await send('PATCH', '/v1/me/preferences', '{"theme":"light"}')).status).to.equal(200);
  });

  const put = (preferences: unknown) =>
    (app as TestApp).call('/v1/me/preferences', {
      method: 'PUT',
      as: 'ada@example.com',
      body: JSON.stringify(preferences),
      headers: { 'Content-Type': 'application/json' },
    });
  const startWith = async (schema: object) => {
    app = await startApp({ preferenceRules: await rulesOf(JSON.stringify({ type: 'object', ...schema })) });
    await addAccount(app.database, 'ada@example.com');
  };
  const expectFaults = async (preferences: unknown, faults: unknown[]) => {
    const problem = await expectProblem(await put(preferences), 422, 'invalid_input');
    expect(problem['errors']).to.deep.equal(faults);
  };

  it('is not asked about preferences that are too large', async () => {
    await startWith({ additionalProperties: false });
    const large = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`k${n}`, n]));
    await expectFaults(large, [{ path: 'preferences', message: 'Must have at most 16384 bytes.' }]);
  });

  it('names at most 20 faults', async () => {
    await startWith({ additionalProperties: false });
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`k${n}`, n]));
    const problem = await expectProblem(await put(many), 422, 'invalid_input');
    expect(problem['errors']).to.have.length(20);
  });

  it('matches patterns in linear time, values and names alike', async () => {
    // By backtracking, either would take longer than the universe has existed.
    await startWith({
      properties: { a: { type: 'string', pattern: '^(a+)+$' } },
      patternProperties: { '^([b-z]+)*$': { type: 'number' } },
      additionalProperties: false,
    });
    const [value, name] = [`${'a'.repeat(7_000)}!`, `${'b'.repeat(7_000)}!`];
    await expectFaults({ a: value, [name]: 1 }, [
      { path: `preferences.${name}`.slice(0, 300), message: 'must NOT have additional properties' },
      { path: 'preferences.a', message: 'must match pattern "^(a+)+$"' },
    ]);
    expect((await put({ a: 'aaa', b: 2 })).status).to.equal(200);
  });

  it('is stopped and refuses where it would take too long, and works afterwards', async () => {
    const node = { $ref: '#/$defs/node' };
    const branch = (kind: string) => ({
      type: 'object',
      properties: { kind: { const: kind }, of: node },
      required: ['kind', 'of'],
    });
    await startWith({
      properties: { word: { type: 'string', pattern: '^(?!x)(a+)+$' }, tree: node },
      $defs: { node: { anyOf: [{ type: 'number' }, ...['a', 'b', 'c', 'd', 'e', 'f'].map(branch)] } },
    });
    let tree: unknown = 'no number';
    for (let depth = 0; depth < 14; depth++) tree = { kind: 'f', of: tree };
    const fault = { path: 'preferences', message: 'Takes too long to check against the schema.' };
    await expectFaults({ word: `${'a'.repeat(100)}!` }, [fault]);
    await expectFaults({ tree }, [fault]);
    expect((await put({ word: 'aaa', tree: { kind: 'f', of: 1 } })).status).to.equal(200);
    await expectFaults({ word: 'xaa' }, [
      { path: 'preferences.word', message: 'must match pattern "^(?!x)(a+)+$"' },
    ]);
  });

  it('finds duplicate items whatever the order of their names', async () => {
    await startWith({ properties: { list: { type: 'array', uniqueItems: true } } });
    expect((await put({ list: [1, '1', [1], { a: 1 }, { a: '1' }, null, [{ a: 1 }]] })).status).to.equal(200);
    for (const list of [
      [1, 2, 1.0],
      [{ a: 1, b: { c: 2, d: 3 } }, 0, { b: { d: 3, c: 2 }, a: 1 }],
      [[], []],
    ]) {
      await expectFaults({ list }, [{ path: 'preferences.list', message: 'must NOT have duplicate items' }]);
    }
  });

  it('has its slow parts named at the start', async () => {
    const schema = join(folder, 'preferences.json');
    const lookahead = '^(?=.*\\d)';
    await writeFile(
      schema,
      JSON.stringify({
        type: 'object',
        properties: {
          'a/b': { type: 'string', pattern: lookahead },
          fast: { type: 'string', pattern: '^(\\p{L}+ ?)*$', format: 'uri' },
          site: { type: 'string', format: 'url' },
        },
        patternProperties: { '^(.)\\1$': true },
      }),
    );
    const slow: unknown[] = [];
    await preferenceRules({ maxBytes: 16_384, schema }, (part) => slow.push(part));
    expect(slow).to.deep.equal([
      { part: '/properties/a~1b/pattern', reason: '"(?=" needs backtracking' },
      { part: '/properties/site/format', reason: 'the format "url" takes quadratic time: use "uri"' },
      { part: '/patternProperties/^(.)\\1$', reason: 'a backreference needs backtracking' },
    ]);
  });

  it('with a slow part starts, with a warning in the log', async () => {
    const path = join(folder, 'preferences.json');
    const database = await createMigratedDatabase();
    await writeFile(
      path,
      JSON.stringify({ type: 'object', additionalProperties: { type: 'string', pattern: '^(?!x)' } }),
    );
    const server = startServer({ DATABASE_URL: database.url, PREFERENCES_SCHEMA: path });
    expect(
      await server.said('PREFERENCES_SCHEMA has a part that a hostile text can make slow; rewrite it'),
    ).to.include({
      level: 40,
      part: '/additionalProperties/pattern',
      reason: '"(?!" needs backtracking',
    });
    await server.ready();
    expect(await server.end('SIGTERM')).to.equal(0);
    await database.drop();
  });

  for (const [what, text] of [
    ['not JSON', '{'],
    ['not a schema', '{"type":"nonsense"}'],
    ['a schema with an unknown keyword', '{"proprties":{}}'],
  ] as const) {
    it(`is refused before the service starts when it is ${what}`, async () => {
      const failure = await rulesOf(text).catch((error: Error) => error);
      expect((failure as Error).message).to.match(/^PREFERENCES_SCHEMA: .*preferences\.json: /);
    });
  }

  it('is refused before the service starts when its file is missing', async () => {
    const missing = join(folder, 'none.json');
    const failure = await preferenceRules({ maxBytes: 1, schema: missing }).catch((error: Error) => error);
    expect((failure as Error).message).to.match(/^PREFERENCES_SCHEMA: .*none\.json: ENOENT/);
  });
});
