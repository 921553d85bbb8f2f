import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { preferenceRules } from '../../src/services/accounts/preferences-schema.ts';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/problem.ts';

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
