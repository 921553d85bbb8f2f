import { randomUUID } from 'node:crypto';
import { Validator } from '@seriousme/openapi-schema-validator';
import { expect } from 'chai';
import type pg from 'pg';
import type { oas31 } from 'zod-openapi';
import packageJson from '../../package.json' with { type: 'json' };
import { REFUSAL_CODES } from '../../src/domain/refusals.ts';
import { SCOPES } from '../../src/domain/service-token.ts';
import { MAX_BODY_BYTES } from '../../src/http/middleware/read-json.ts';
import { openApiDocument } from '../../src/http/openapi/document.ts';
import { keyDigest } from '../../src/http/request/idempotency-key.ts';
import { KNOWN_VALUES } from '../../src/http/schemas/open-list.ts';
import type { Leave } from '../../src/http/transfers/places.ts';
import { consoleSecretDigest, mintConsoleSecret } from '../../src/security/console-token.ts';
import { mintServiceToken } from '../../src/security/service-token.ts';
import { lockOf } from '../../src/store/kept-answers.ts';
import { addAccount } from '../support/accounts.ts';
import { sources, startApp, type TestApp } from '../support/app.ts';
import { sessionOf } from '../support/authjs.ts';
import { type ConformingApp, conforming, schemaAt } from '../support/conformance.ts';
import { createMigratedDatabase } from '../support/database.ts';
import { describedEndpoints } from '../support/endpoints.ts';
import { AUDIENCE, startIdentityProvider } from '../support/identity-provider.ts';
import { type DatabaseProxy, startProxy } from '../support/proxy.ts';
import { forge } from '../support/tokens.ts';
import { WEBHOOK_SECRET } from '../support/webhooks.ts';

const webhooks = [
  {
    name: 'crm.example.com',
    url: 'https://crm.example.com/hook',
    secrets: [WEBHOOK_SECRET],
    actions: null,
    fields: null,
  },
];

const table = describedEndpoints();
const document = openApiDocument(table);

interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly operation: oas31.OperationObject;
}

const operations: Operation[] = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
  Object.entries(item as Record<string, oas31.OperationObject>).map(([method, operation]) => ({
    id: operation.operationId ?? '',
    method: method.toUpperCase(),
    path,
    operation,
  })),
);

describe('the OpenAPI document', function () {
  this.timeout(300_000);

  it('is valid according to the public validator', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate({ ...structuredClone(document) });
    expect(valid, JSON.stringify(errors)).to.equal(true);
    expect(validator.version).to.equal('3.1');
    expect(document.info).to.include({ title: 'Rollcall', version: packageJson.version });
  });

  it('names each operation once', () => {
    expect(new Set(operations.map(({ id }) => id))).to.have.property('size', operations.length);
  });

  it('describes each operation, and names each schema of a body or an answer that is an object', () => {
    const isNamed = ({ schema = {} }: oas31.MediaTypeObject) => '$ref' in schema || schema.type === 'string';
    for (const { id, operation } of operations) {
      expect(operation.description, id).to.match(/^[A-Z].*\.$/s);
      const contents = [
        bodyOf(operation),
        ...Object.values(operation.responses ?? {}).map(({ content = {} }: oas31.ResponseObject) => content),
      ];
      const unnamed = contents.flatMap((content) =>
        Object.entries(content).filter(([, media]) => !isNamed(media)),
      );
      expect(unnamed, id).to.deep.equal([]);
    }
  });

  it('has the messages that webhooks are sent', () => {
    expect(Object.keys(document.webhooks ?? {})).to.deep.equal([
      'account.created',
      'account.updated',
      'account.deleted',
      'webhook.test',
    ]);
  });

  it('leaves lists of answers open that grow, and those closed that callers send', () => {
    const propertyOf = (schema: string, name: string) =>
      resolved({ $ref: `#/components/schemas/${schema}` }).properties?.[name] as oas31.SchemaObject;
    const scopesOf = (schema: string) => resolved(propertyOf(schema, 'scopes').items ?? {});
    const code = propertyOf('Problem', 'code');
    expect(code).to.include({ type: 'string' }).and.not.to.have.property('enum');
    expect(code[KNOWN_VALUES]).to.deep.equal(REFUSAL_CODES);
    expect(code.description).to.match(/ So far `account_in_use`, .*; others may be added\.$/);
    expect(scopesOf('ServiceToken')).to.deep.include({ [KNOWN_VALUES]: SCOPES });
    expect(scopesOf('ServiceTokenRequest').enum).to.deep.equal(SCOPES);
  });

  it('names the scope that a service token needs, and describes service tokens', () => {
    const scopes = Object.fromEntries(
      operations.map(({ id, operation }) => [
        id,
        /Scope of service tokens: `(.+)`/.exec(operation.description ?? '')?.[1],
      ]),
    );
    expect(scopes).to.include({
      getUsers: 'users:read',
      patchUsersById: 'users:write',
      getHistory: 'history:read',
      getChanges: 'changes:read',
      getMe: undefined,
      postServiceTokens: undefined,
    });
    const bearer = document.components?.securitySchemes?.['bearer'] as oas31.SecuritySchemeObject;
    expect(bearer.description).to.include('`rc_`').and.to.include('cannot create, change or delete admins');
  });

  it('tells what keeps a session of the console alive', () => {
    const session = document.components?.securitySchemes?.['console'] as oas31.SecuritySchemeObject;
    expect(session.description)
      .to.include('30 minutes without a request')
      .and.to.include('8 hours in all')
      .and.to.include('`Rollcall-Console: unattended`, which an open page makes by itself');
  });

  it('has examples that match their schemas, one for each refusal', () => {
    const schema = schemaAt(document);
    let count = 0;
    const expectValid = (value: unknown, at: readonly string[]) => {
      const validate = schema(...at);
      expect(validate(value), `${at.join(' ')}: ${JSON.stringify(validate.errors)}`).to.equal(true);
      count++;
    };
    const walk = (node: unknown, at: readonly string[]): void => {
      if (typeof node !== 'object' || node === null) return;
      const { schema: own, example, examples } = node as Record<string, unknown>;
      if (own !== undefined && example !== undefined) expectValid(example, [...at, 'schema']);
      if (own !== undefined && examples !== undefined) {
        for (const { value } of Object.values(examples as Record<string, { value: unknown }>)) {
          expectValid(value, [...at, 'schema']);
        }
      }
      if (Array.isArray(examples)) for (const value of examples) expectValid(value, at);
      for (const [key, child] of Object.entries(node)) {
        if (key !== 'example' && key !== 'examples') walk(child, [...at, key]);
      }
    };
    walk(document, []);
    expect(count).to.be.greaterThan(100);

    for (const { id, operation } of operations) {
      for (const { status, codes, examples } of problemsOf(operation)) {
        expect(Object.keys(examples), id).to.deep.equal(codes);
        for (const [code, { value }] of Object.entries(examples)) {
          expect(value, `${id} ${code}`).to.include({ code, status });
        }
      }
    }
  });
});

describe('GET /openapi.json', () => {
  let app: TestApp;

  before(async () => {
    app = await startApp();
  });

  after(() => app.close());

  for (const [path, item] of Object.entries(document.paths ?? {})) {
    it(`has the methods of ${path} that the server allows, and no others`, async () => {
      const documented = Object.keys(item as object).map((method) => method.toUpperCase());
      const allowed = [...documented, ...(documented.includes('GET') ? ['HEAD'] : [])];
      const url = path.replace(/\{\w+\}/g, '1');
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        if (allowed.includes(method)) continue;
        const response = await app.call(url, { method });
        expect(response.status, method).to.equal(method === 'OPTIONS' ? 200 : 405);
        expect(response.headers.get('allow')?.split(', '), method).to.have.members(allowed);
      }
    });
  }

  it('serves the document publicly, with a strong entity tag', async () => {
    const response = await app.call('/openapi.json');
    expect(response.status).to.equal(200);
    expect(response.headers.get('content-type')).to.equal('application/json');
    expect(response.headers.get('cache-control')).to.equal('no-cache');
    expect(response.headers.get('etag')).to.match(/^"[\w-]{43}(-gzip)?"$/);
    expect(await response.json()).to.deep.equal(JSON.parse(JSON.stringify(document)));
  });

  it('answers 304 to a matching If-None-Match', async () => {
    const etag = (await app.call('/openapi.json')).headers.get('etag') ?? '';
    // By default, `fetch` adds "no-cache" to a conditional request.
    const headers = { 'If-None-Match': etag, 'Cache-Control': 'max-age=0' };
    const response = await app.call('/openapi.json', { headers });
    expect(response.status).to.equal(304);
    expect(response.headers.get('etag')).to.equal(etag);
    expect(await response.text()).to.equal('');
    headers['If-None-Match'] = '"another"';
    expect((await app.call('/openapi.json', { headers })).status).to.equal(200);
  });
});

describe('the server', () => {
  const ADA = 'ada@example.com';
  let wire: DatabaseProxy;
  let app: ConformingApp;
  /** A server that requires reasons, which answers in place of the other one while `isStrict`. */
  let strict: TestApp;
  let isStrict: boolean;
  let adaId: number;
  let tokenId: number;
  let identityId: number;
  const service = mintServiceToken();
  /** The session of the console of an admin, and that of `fresh`. */
  const [adminSession, ownSession] = [mintConsoleSecret(), mintConsoleSecret()];
  let sessionId: number;
  /** How many failures have come from addresses of their own. */
  let failures = 0;
  let fresh: { id: number; email: string };
  /** A token of an identity provider that has shut down. */
  let orphan: string;
  /** The id of the history entry for the creation of `fresh`. */
  let entryId: string;

  before(async () => {
    const database = await createMigratedDatabase();
    wire = await startProxy(database.url);
    const provider = await startIdentityProvider();
    orphan = await provider.token();
    await provider.close();
    const tokenSources = sources({ issuer: provider.issuer, audience: [AUDIENCE] });
    const lenient = await startApp({
      database,
      through: wire.url,
      webhooks,
      sources: tokenSources,
      trustProxy: 1,
      rateLimit: { failures: 1, requests: 100_000 },
      transferLimits: { maxUploadBytes: MAX_BODY_BYTES, uploadPatienceMs: 1_000 },
      requestTimeoutMs: 1_000,
      emailChanges: 'refuse',
    });
    strict = await startApp({ database, reasonRequired: true });
    isStrict = false;
    app = await conforming({
      ...lenient,
      call: (path, options) => (isStrict ? strict : lenient).call(path, options),
    });
    adaId = (await addAccount(database, ADA, { role: 'admin' })).id;
    await addSession(adaId, adminSession.digest);
  });

  after(async () => {
    await strict.stop();
    await app.close();
    await wire.close();
  });

  beforeEach(async () => {
    await app.database.query(`delete from users where email <> '${ADA}'`);
    fresh = await addAccount(app.database, 'fresh@example.com');
    await app.database.query('delete from service_tokens');
    await app.database.query('delete from identities');
    const [row] = await app.database.query<{ id: number }>(
      `insert into service_tokens (name, digest, scopes, created_by, expires_at)
       values ('backend', $1, '{users:read}', '${ADA}', now() + interval '1 day') returning id`,
      [service.digest],
    );
    tokenId = row?.id ?? 0;
    entryId = await lastEntryOf(fresh.id);
    await app.database.query(`update changes set request_id = 'request-' || id`);
    const [identity] = await app.database.query<{ id: number }>(
      `insert into identities (user_id, issuer, subject, email)
       values ($1, 'https://other.example.com', 'subject', $2) returning id`,
      [fresh.id, fresh.email],
    );
    identityId = identity?.id ?? 0;
    sessionId = await addSession(fresh.id, ownSession.digest);
    await app.database.query(
      `insert into console_codes (digest, account_id, expires_at) values ($1, $2, now() + interval '1 hour')`,
      [consoleSecretDigest(CODE), fresh.id],
    );
  });

  const addSession = async (accountId: number, digest: string) => {
    const [row] = await app.database.query<{ id: number }>(
      `insert into console_sessions (digest, account_id, door, expires_at)
       values ($1, $2, 'code', now() + interval '1 hour') returning id`,
      [digest, accountId],
    );
    return row?.id ?? 0;
  };

  const lastEntryOf = async (userId: number) => {
    const rows = await app.database.query<{ id: string }>(
      'select id from changes where user_id = $1 order by at desc, id desc limit 1',
      [userId],
    );
    return rows[0]?.id ?? '';
  };

  /** A request built from the document's examples, made by an account that may make it. */
  const validRequest = ({ method, path, operation }: Operation) => {
    const isForAdmins = !path.startsWith('/v1/me') && path !== '/v1/session';
    const id = path.startsWith('/v1/history')
      ? entryId
      : path.startsWith('/v1/service-tokens')
        ? tokenId
        : /\/sessions\//.test(path)
          ? sessionId
          : fresh.id;
    const [type, media] = Object.entries(bodyOf(operation)).at(-1) ?? [];
    return {
      path: path
        .replace('{id}', `${id}`)
        .replace('{identityId}', `${identityId}`)
        .replace('{name}', 'crm.example.com')
        .replace('{file}', path.startsWith('/docs') ? 'docs.js' : 'console.js')
        .replace('{view}', 'accounts'),
      method,
      redirect: 'manual' as const,
      headers: {
        'Cache-Control': 'max-age=0',
        // It leads browsers alone.
        ...(path === '/' && { Accept: 'text/html' }),
        ...(type && { 'Content-Type': type }),
        ...(isDoor(path) && { 'Sec-Fetch-Site': 'same-origin', ...cookie(ownSession) }),
      } as Record<string, string>,
      ...(media && { body: (examplesOf(media)[0] ?? '').replace('"ids":[2,3]', `"ids":[${fresh.id}]`) }),
      ...(operation.security?.length && { as: isForAdmins ? ADA : fresh.email }),
    };
  };
  type ValidRequest = ReturnType<typeof validRequest>;

  const cookie = ({ secret }: { secret: string }) => ({ Cookie: `rollcall-console=${secret}` });

  const bearing = (request: Omit<ValidRequest, 'as'>, token: string) => ({
    ...request,
    headers: { ...request.headers, Authorization: `Bearer ${token}` },
  });

  /** Binds `fresh` to the subject of an issuer. */
  const bindFresh = async () => {
    const claims = { iss: 'https://login.example.com', sub: `${fresh.id}` };
    await app.database.query(
      'insert into identities (user_id, issuer, subject, email) values ($1, $2, $3, $4)',
      [fresh.id, claims.iss, claims.sub, fresh.email],
    );
    return claims;
  };

  const failWrites = (code: string) =>
    app.database.query(`
      create function lose() returns trigger language plpgsql
      as $$ begin raise exception 'lost' using errcode = '${code}'; end $$;
      create trigger lose before insert or update or delete on users execute function lose();
      create trigger lose before insert or update on service_tokens execute function lose();
      create trigger lose before insert or update or delete on console_sessions execute function lose();
      create trigger lose before update on identities execute function lose();
      create trigger lose before update on webhooks execute function lose();
      create trigger lose before insert or update on kept_answers execute function lose()`);

  /** A valid request that writes to the database: a test of a webhook does so only where its answer is kept. */
  const writing = (request: ValidRequest): ValidRequest =>
    request.path.endsWith('/test')
      ? { ...request, headers: { ...request.headers, 'Idempotency-Key': '"a-test-to-keep"' } }
      : { ...request, ...(request.body && { body: request.body.replace('dark', 'light') }) };

  /** The undo of a request that has changed another account, too, as in the example: an entry with this action, and these values. */
  const withEntry = async (request: ValidRequest, entry: string) => {
    await app.database.query(`
      delete from changes where id = 7;
      insert into changes (id, actor, user_id, action, before, after, fields, version) overriding system value
      values (7, 'test', 2, ${entry}, '{name}', 2);
      update changes set request_id = '5f0c4b1e-8a53-4d0e-9d0b-3f1f6a2b7c11' where id in (7, ${entryId})`);
    const id = { 'X-Request-Id': 'ec893c10-9ed7-4037-87cf-5d67d62a2837' };
    return { ...request, headers: { ...request.headers, ...id } };
  };

  /** How to provoke each refusal: what to change in a valid request, in the database or in the server. */
  const provocations: Record<string, (request: ValidRequest) => unknown> = {
    account_in_use: async (request) => {
      await app.database.query('create table items (owner_id int references users)');
      if (request.path.endsWith('/undo-request')) {
        await app.database.query(`
          insert into users (id, email) overriding system value values (2, 'held@example.com');
          insert into items values (2)`);
        return withEntry(
          request,
          `'created', null, '{"email":"held@example.com","name":null,"role":"user","status":"active","storageMode":"local","preferences":{}}'`,
        );
      }
      await app.database.query('insert into items values ($1)', [fresh.id]);
      return { ...request, ...(request.body && { body: `{"ids":[${fresh.id}],"delete":true}` }) };
    },
    account_required: (request) => ({ ...request, as: 'nobody@example.com' }),
    account_suspended: async (request) => {
      await app.database.query(`update users set status = 'suspended' where email <> '${ADA}'`);
      return { ...request, as: fresh.email };
    },
    answer_gone: async (request) => {
      const keyed = await carryOutUnderKey(request);
      await app.database.query('update kept_answers set fingerprint = null, headers = null, body = null');
      return keyed;
    },
    bad_cursor: (request) => ({
      ...request,
      path: `${request.path}?${request.path === '/v1/changes' ? 'after' : 'cursor'}=nonsense`,
    }),
    cursor_outdated: (request) => ({ ...request, path: `${request.path}?after=1-1-000000000000-0` }),
    changed_since: async (request) => {
      // Of an account that is gone.
      if (request.path.endsWith('/undo-request'))
        return withEntry(request, `'updated', '{"name":"A"}', '{"name":"B"}'`);
      await app.database.query(`update users set preferences = '{"theme":"dark"}' where id = ${fresh.id}`);
      return request;
    },
    body_too_large: (request) => ({ ...request, body: ' '.repeat(MAX_BODY_BYTES + 1) }),
    cross_site: async ({ as: email, ...request }) => ({
      ...request,
      headers: {
        ...request.headers,
        // A read is refused with a session of the console only.
        ...(request.method === 'GET'
          ? cookie(email === ADA ? adminSession : ownSession)
          : { Cookie: await authjsCookie(email) }),
        'Sec-Fetch-Site': 'cross-site',
      },
    }),
    database_unavailable: async (request) => {
      await wire.cut();
      return request;
    },
    email_changed: async ({ as: _, ...request }) => {
      const { iss, sub } = await bindFresh();
      return bearing(request, forge({ claims: { iss, sub, email: 'changed@example.com' } }));
    },
    identity_mismatch: async ({ as: _, ...request }) => {
      const { iss } = await bindFresh();
      return bearing(request, forge({ claims: { iss, sub: 'another', email: fresh.email } }));
    },
    email_unverified: ({ as: _, ...request }) =>
      bearing(request, forge({ claims: { email_verified: false } })),
    email_invalid: (request) => ({ ...request, body: '{"email":"nonsense"}' }),
    email_taken: async (request) => {
      if (!request.path.endsWith('/undo')) return { ...request, body: `{"email":"${ADA}"}` };
      await app.call(`/v1/users/${fresh.id}`, { method: 'DELETE', as: ADA });
      await addAccount(app.database, fresh.email);
      return { ...request, path: `/v1/history/${await lastEntryOf(fresh.id)}/undo` };
    },
    erased: async (request) => {
      await app.database.query(`update changes set erased_at = now() where user_id = ${fresh.id}`);
      return request.method === 'GET'
        ? { ...request, path: `${request.path}?at=2026-01-31T12:00:00Z` }
        : request;
    },
    forbidden: ({ as, ...request }) =>
      as === ADA
        ? { ...request, as: fresh.email }
        : { ...request, headers: { ...request.headers, Authorization: `Bearer ${service.token}` } },
    idempotency_key_invalid: (request) => underKey(request, '"'),
    idempotency_key_reused: (request) => carryOutUnderKey(request),
    identity_provider_unavailable: ({ as: _, ...request }) => bearing(request, orphan),
    internal: async (request) => {
      await app.database.query('alter table users rename to gone');
      await app.database.query('alter table console_sessions rename to gone_too_soon');
      await app.database.query('alter table rollcall_migrations rename to gone_too');
      return request;
    },
    invalid_input: async (request) => {
      if (!request.path.endsWith('/undo'))
        return { ...request, body: request.path.endsWith('/import') ? 'email\r\nnonsense\r\n' : '[]' };
      // An entry from before the current size limit.
      await app.database.query(`
        insert into changes (actor, user_id, action, before, after, fields, version)
        values ('test', ${fresh.id}, 'updated', jsonb_build_object('preferences', jsonb_build_object('a', repeat('a', 20000))),
          '{"preferences":{"a":null}}', '{preferences,preferences.a}', 1)`);
      return { ...request, path: `/v1/history/${await lastEntryOf(fresh.id)}/undo` };
    },
    invalid_query: (request) => ({ ...request, path: `${request.path}?colour=red` }),
    last_admin: async (request) => {
      if (request.path.endsWith('/import'))
        return { ...request, path: `${request.path}?mode=upsert`, body: `email,role\r\n${ADA},user\r\n` };
      if (request.path.endsWith('/bulk')) return { ...request, body: `{"ids":[${adaId}],"role":"user"}` };
      const undo = /undo(-request)?$/.exec(request.path)?.[0];
      return {
        ...request,
        as: ADA,
        path: undo
          ? `/v1/history/${await lastEntryOf(adaId)}/${undo}`
          : request.path.replace(`${fresh.id}`, `${adaId}`),
        ...(request.body && { body: '{"role":"user"}' }),
      };
    },
    lock_timeout: async (request) => {
      if (request.method === 'GET') {
        blocker = await app.database.connect();
        await blocker.query('begin; lock table users');
      } else await failWrites('lock_not_available');
      return writing(request);
    },
    lost_race: async (request) => {
      await failWrites('serialization_failure');
      return writing(request);
    },
    malformed_json: (request) => ({ ...request, body: '{' }),
    name_taken: async (request) => {
      await app.call(request.path, request as RequestInit);
      return request;
    },
    malformed_request: (request) => ({ ...request, body: endless(), duplex: 'half' }),
    not_acceptable: (request) => ({ ...request, headers: { ...request.headers, Accept: 'image/png' } }),
    not_found: ({ headers: { Accept: _, ...headers }, ...request }) => ({
      ...request,
      headers,
      path: request.path.replace(/(?<=\/)\d+|[^/]+(?=\/(?:resume|test)$)|[^/]+$/, 'nonsense'),
    }),
    not_ready: (request) => {
      app.lifecycle.phase = 'draining';
      return request;
    },
    precondition_failed: async (request) => {
      await app.database.query('update users set version = 3');
      return { ...request, headers: { ...request.headers, 'If-Match': '"2"' } };
    },
    rate_limited: async ({ as: _, ...request }) => {
      // A new one for each: the minute of another may end between the two requests.
      const bad = {
        'X-Forwarded-For': `203.0.113.${++failures}`,
        Authorization: 'Bearer nonsense',
        Cookie: 'authjs.session-token=nonsense',
      };
      await app.call('/v1/me', { headers: bad });
      return {
        ...request,
        headers: { ...request.headers, ...bad },
        ...(request.body && { body: WRONG_CODE }),
      };
    },
    reason_invalid: (request) => ({
      ...request,
      headers: { ...request.headers, 'Rollcall-Reason': 'x'.repeat(501) },
    }),
    reason_required: (request) => {
      isStrict = true;
      return request;
    },
    request_in_progress: async (request) => {
      const key = randomUUID();
      const lock = lockOf(keyDigest(await callerOf(request), key));
      await app.database.query('select pg_advisory_lock($1)', [`${lock}`]);
      return underKey(request, `"${key}"`);
    },
    request_unknown: async (request) => {
      await app.database.query('update changes set request_id = null');
      return request;
    },
    storage_unavailable: (request) => {
      process.env['TMPDIR'] = '/nonexistent';
      return request;
    },
    too_many_transfers: async (request) => {
      takePlaces(await callerOf(request));
      return request;
    },
    transfer_too_slow: ({ body: _, ...request }) => ({
      ...request,
      // Nothing after the first byte, without which `fetch` would not even begin.
      body: new ReadableStream({ start: (upload) => upload.enqueue(Buffer.from(' ')) }),
      duplex: 'half',
    }),
    transfers_busy: (request) => {
      for (let caller = 0; caller < 100; caller++) takePlaces(`account:-${caller}`);
      return request;
    },
    overloaded: (request) => {
      for (let leave = app.load.enter(() => true); leave; leave = app.load.enter(() => true))
        taken.push(leave);
      return request;
    },
    unauthenticated: ({ as: _, ...request }) =>
      isDoor(request.path)
        ? // What fails at a door counts.
          {
            ...request,
            headers: { ...request.headers, 'X-Forwarded-For': `203.0.113.${++failures}` },
            ...(request.body && { body: WRONG_CODE }),
          }
        : request,
    unsupported_media_type: (request) => ({
      ...request,
      headers: { ...request.headers, 'Content-Type': 'text/plain' },
    }),
  };
  const underKey = <Init extends RequestInit>(request: Init, key: string) => ({
    ...request,
    headers: { ...request.headers, 'Idempotency-Key': key },
  });
  /** Carries out another request of the caller under a key, and puts the request under it. */
  const carryOutUnderKey = async ({ as, ...request }: ValidRequest) => {
    const key = `"${randomUUID()}"`;
    const headers = { 'Content-Type': 'application/json' };
    const other = { method: 'PATCH', body: '{}', headers, ...(as && { as }) };
    expect((await app.call('/v1/me', underKey(other, key))).status).to.equal(200);
    return { ...underKey(request, key), ...(as && { as }) };
  };
  /** The session that holds a lock for a test. */
  let blocker: pg.Client | undefined;
  /** The places that a test has taken. */
  const taken: Leave[] = [];
  const takePlaces = (caller: string) => {
    for (const places of Object.values(app.transfers.places)) {
      for (let leave = places.enter(caller); typeof leave === 'function'; leave = places.enter(caller)) {
        taken.push(leave);
      }
    }
  };
  const callerOf = async ({ as }: ValidRequest) => {
    const [row] = await app.database.query<{ id: number }>('select id from users where email = $1', [as]);
    return `account:${row?.id}`;
  };
  const restore = async () => {
    isStrict = false;
    for (const leave of taken.splice(0)) leave();
    await blocker?.query('rollback');
    blocker = undefined;
    delete process.env['TMPDIR'];
    app.lifecycle.phase = 'ready';
    if (await app.database.query('select 1 from pg_class where relname = $1', ['gone']).then(isSome)) {
      await app.database.query('alter table gone rename to users');
      await app.database.query('alter table gone_too rename to rollcall_migrations');
      await app.database.query('alter table gone_too_soon rename to console_sessions');
    }
    await app.database.query('select pg_advisory_unlock_all()');
    await app.database.query('drop table if exists items');
    await app.database.query('drop function if exists lose cascade');
    await wire.cut();
    await wire.mend();
  };

  for (const known of operations) {
    const { id, method, path, operation } = known;
    const usesDatabase =
      path === '/readyz' || (isDoor(path) && !path.includes('/oidc')) || operation.security?.length !== 0;

    describe(`at ${method} ${path}`, () => {
      afterEach(restore);

      // The last 2xx status: the first may be that of the dry run.
      const success = Object.keys(operation.responses ?? {}).findLast((status) => /^2|^303/.test(status));

      it(`answers ${success}, as documented, to the document's own examples`, async () => {
        const request = validRequest(known);
        const bodies = Object.entries(bodyOf(operation)).flatMap(([type, media]) =>
          examplesOf(media).map((body) => ({
            headers: { ...request.headers, 'Content-Type': type },
            body,
          })),
        );
        for (const body of bodies.length > 0 ? bodies : [{}]) {
          await app.database.query(`delete from users where email not in ('${ADA}', '${fresh.email}')`);
          const response = await app.call(request.path, { ...request, ...body });
          expect(`${response.status}`, await response.text()).to.equal(success);
        }
      });

      if (operation.responses?.['304']) {
        it('answers 304 and HEAD as documented', async () => {
          const request = validRequest(known);
          const etag = (await app.call(request.path, request)).headers.get('etag') ?? '';
          request.headers['If-None-Match'] = etag;
          expect((await app.call(request.path, request)).status).to.equal(304);
          delete request.headers['If-None-Match'];
          expect((await app.call(request.path, { ...request, method: 'HEAD' })).status).to.equal(200);
        });
      }

      for (const { status, examples } of problemsOf(operation)) {
        for (const [code, { value: example }] of Object.entries(examples)) {
          if (!usesDatabase && ['internal', 'database_unavailable'].includes(code)) continue;

          it(`refuses with ${status} ${code}, as documented and as in its example`, async () => {
            const provoke = provocations[code];
            if (provoke === undefined)
              throw new Error(`No request provokes ${code}: add one to "provocations".`);
            const { path, ...init } = (await provoke(validRequest(known))) as ValidRequest;
            const response = await app.call(path, init);
            const text = await response.text();
            expect(response.status, text).to.equal(status);
            const expected = { ...example, requestId: response.headers.get('x-request-id') };
            expect(JSON.parse(text)).to.deep.equal(expected);
            expect(app.answered).to.include(`${id} ${status} ${code}`);
          });
        }
      }
    });
  }

  it('answers other methods and other paths as the document says in prose', async () => {
    for (const operation of operations) {
      const { path: at } = validRequest(operation);
      await app.call(at, { method: 'OPTIONS' });
      await app.call(at, { method: 'PURGE' });
      await app.call(`${at.replace(/^\/$/, '')}/nonsense/nonsense`);
    }
    expect(app.answered).to.include.all.keys('- 200', '- 405', '- 404');
  });
});

/** The code in the document's example, and a body with one that nobody has made. */
const CODE = 'wEQnWbsU4ECx0dOBbiVIFpUPnqKoLw0vyJTSDA9mNB0';
const WRONG_CODE = JSON.stringify({ code: 'A'.repeat(43) });

function isDoor(path: string): boolean {
  return /^\/v1\/session(?:\/|$)/.test(path);
}

async function authjsCookie(email: string | undefined): Promise<string> {
  return `authjs.session-token=${await sessionOf({ token: { email } })}`;
}

/** The examples of a body, serialized as they are sent. */
function examplesOf({ schema, example }: oas31.MediaTypeObject): string[] {
  if (example !== undefined) return [example];
  return (resolved(schema ?? {}).examples ?? []).map((value) => JSON.stringify(value));
}

/** The schema that a reference leads to. */
function resolved(schema: oas31.SchemaObject | oas31.ReferenceObject): oas31.SchemaObject {
  if (!('$ref' in schema)) return schema;
  const name = `${schema.$ref}`.split('/').at(-1) ?? '';
  return document.components?.schemas?.[name] as oas31.SchemaObject;
}

function bodyOf({ requestBody }: oas31.OperationObject): oas31.ContentObject {
  return (requestBody as oas31.RequestBodyObject | undefined)?.content ?? {};
}

/** The refusals of an operation: for each status, the codes in its description and its examples. */
function problemsOf({ responses = {} }: oas31.OperationObject) {
  return Object.entries(responses as Record<string, oas31.ResponseObject>).flatMap(([status, response]) => {
    const media = response.content?.['application/problem+json'];
    if (media === undefined) return [];
    expect(media.schema).to.deep.equal({ $ref: '#/components/schemas/Problem' });
    return {
      status: Number(status),
      codes: [...(response.description ?? '').matchAll(/`(\w+)`/g)].map(([, code]) => code),
      examples: media.examples as Record<string, { value: Record<string, unknown> }>,
    };
  });
}

function isSome(rows: unknown[]): boolean {
  return rows.length > 0;
}

/** A body that begins and never ends. */
function endless(): ReadableStream {
  return new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from('{')) });
}
