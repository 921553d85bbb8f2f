import { expect } from 'chai';
import fc from 'fast-check';
import { addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { describedEndpoints } from '../support/endpoints.ts';

const ADMIN = 'ada@example.com';

/** Every endpoint. The names below are those of body fields and query parameters, and some that do not exist. */
const TABLE = describedEndpoints();

const NAMES = [
  'email',
  'name',
  'role',
  'status',
  'storageMode',
  'preferences',
  'version',
  '__proto__',
  'constructor',
  'toString',
];
const QUERY_NAMES = [
  'limit',
  'cursor',
  'after',
  'wait',
  'sort',
  'role',
  'status',
  'email',
  'q',
  'total',
  'mode',
  'dryRun',
  'partial',
  'actor',
  'userId',
  'action',
  'field',
  'since',
  'until',
  'at',
  'x',
];

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom(
    '\0',
    '\ud83d',
    "'; drop table users; --",
    '%',
    '%s',
    '$(x)',
    '../..',
    '-1',
    '1e999',
    'NaN',
    'admin',
    'user',
  ),
);
const value: fc.Arbitrary<unknown> = fc.oneof(
  text,
  fc.jsonValue({ maxDepth: 4 }),
  fc.constantFrom('admin', 'suspended', null, 1e308, -0),
);
const body = fc.oneof(
  fc
    .dictionary(fc.oneof(fc.constantFrom(...NAMES), fc.string()), value, { maxKeys: 6 })
    .map((object) => JSON.stringify(object)),
  fc.jsonValue().map((json) => JSON.stringify(json)),
  fc.string(),
  fc.constantFrom(
    '',
    '{',
    '[]',
    '{"a":1e999}',
    '{"a":1,"a":2}',
    `${'['.repeat(50_000)}${']'.repeat(50_000)}`,
    '{"preferences":{"a":"\\u0000"}}',
  ),
);
const header = fc.constantFrom('*', '"1"', '"', 'W/"x"', '"1", "2"', ',', 'x'.repeat(300));
const request = fc.record({
  endpoint: fc.constantFrom(...TABLE.map(({ method, path }) => ({ method, path }))),
  parameter: fc.oneof(fc.constantFrom('1', '2', '99', 'swagger-ui.css'), text),
  query: fc.dictionary(fc.constantFrom(...QUERY_NAMES), text, { maxKeys: 3 }),
  body,
  type: fc.constantFrom(
    'application/json',
    'application/merge-patch+json',
    'application/x-ndjson',
    'text/csv',
    'text/plain',
    'x',
  ),
  accept: fc.constantFrom('*/*', 'text/csv', 'application/x-ndjson', 'image/png', ';', 'a/b;q=x'),
  ifMatch: fc.option(header, { nil: undefined }),
  ifNoneMatch: fc.option(header, { nil: undefined }),
});

describe('a hostile request', function () {
  this.timeout(120_000);

  let app: TestApp;

  before(async () => {
    app = await startApp();
  });

  after(() => app.close());

  it('to any endpoint never causes a 500, a logged error or a polluted prototype', async () => {
    await fc.assert(
      fc.asyncProperty(
        request,
        async ({ endpoint, parameter, query, body, type, accept, ifMatch, ifNoneMatch }) => {
          await app.database.query(`delete from users`);
          await addAccount(app.database, ADMIN, { role: 'admin' });
          const path = endpoint.path.replace(/:\w+/, encode(parameter));
          const search = new URLSearchParams(query);
          const response = await app.call(`${path}?${search}`, {
            method: endpoint.method,
            as: ADMIN,
            headers: {
              'Content-Type': type,
              Accept: accept,
              ...(ifMatch && { 'If-Match': ifMatch }),
              ...(ifNoneMatch && { 'If-None-Match': ifNoneMatch }),
            },
            ...(endpoint.method !== 'GET' && endpoint.method !== 'DELETE' && { body }),
          });
          const answer = await response.text();
          // Not 503: `/readyz` answers so only while the process is not ready.
          expect(response.status, answer).to.be.oneOf([
            200, 201, 204, 304, 400, 404, 405, 406, 409, 412, 413, 415, 422,
          ]);
        },
      ),
      { numRuns: 400 },
    );
    expect(({} as Record<string, unknown>)['admin']).to.equal(undefined);
    expect(app.log.filter(({ level }) => (level as number) >= 50)).to.deep.equal([]);
  });
});

/** Percent-encodes a path parameter, with an invalid encoding for a lone surrogate. */
function encode(parameter: string): string {
  return parameter.isWellFormed() ? encodeURIComponent(parameter) : '%ED%A0%80';
}
