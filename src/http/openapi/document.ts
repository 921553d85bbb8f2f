import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import {
  createDocument,
  type oas31,
  type ZodOpenApiContentObject,
  type ZodOpenApiObject,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiRequestBodyObject,
  type ZodOpenApiResponseObject,
} from 'zod-openapi';
import packageJson from '../../../package.json' with { type: 'json' };
import { SESSION_HOURS, SESSION_IDLE_MINUTES } from '../../domain/console-session.ts';
import { MAX_REASON_LENGTH } from '../../domain/reason.ts';
import { refusals } from '../../domain/refusals.ts';
import { type Endpoint, givesBookmark, isWrite, type UploadDescription } from '../endpoint.ts';
import { secureSessionName } from '../request/console-cookies.ts';
import { CONSOLE_HEADER, UNATTENDED } from '../request/credentials.ts';
import { REASON } from '../request/reason.ts';
import { dryRun as dryRunAnswer } from '../schemas/change.ts';
import { problem } from '../schemas/problem.ts';
import { exampleOf } from './examples.ts';
import {
  BOOKMARKED,
  headerComponents,
  headerObjects,
  OPTIONAL_REFUSAL_HEADERS,
  optional,
  REFUSAL_HEADERS,
  REPLAYED,
  STANDING,
} from './headers.ts';
import { JSON_TYPE } from './media-types.ts';
import { overrides } from './overrides.ts';
import { refusalsOf } from './refusals.ts';
import { MESSAGES_TAG, messageParameters, webhooks } from './webhooks.ts';

const DESCRIPTION = [
  'Rollcall keeps the accounts behind a sign-in that happens elsewhere: access, roles, preferences and their history.',
  "Every refusal is a problem (RFC 9457) with a machine-readable `code`. Every answer has an `X-Request-Id`: the request's own where it is valid.",
  'An invalid HTTP request gets 400 `malformed_request`, also one with two `Host`.',
  'In development, a request for a host that is no name of this machine gets 421 `misdirected_request`.',
  'Requests from `CORS_ORIGINS` get the headers of the CORS protocol, and their preflights 204.',
  'Every path below also answers `HEAD` where it answers `GET`, and `OPTIONS` with `Allow`; other methods get 405 `method_not_allowed` with `Allow`, and other paths 404 `not_found`.',
].join('\n\n');

const BEARER = [
  'A token of your identity provider or your own login; its `email` names the account.',
  'Or a service token: it begins with `rc_`, is not a JWT, and may do what its scopes allow. Each operation names the scope it needs; operations without one refuse service tokens.',
  'A service token with `users:write` cannot create, change or delete admins.',
].join(' ');

/** Text as a reason arrives. */
const PERCENT_ENCODED = '^([ -$&-~]|%[0-9A-Fa-f]{2})+$';

/** How an account shows who it is. */
const SIGN_INS = [{ bearer: [] }, { session: [] }];

const TAGS = [
  { name: 'My account', under: /^\/v1\/me/, description: 'Your own account.' },
  { name: 'Accounts', under: /^\/v1\/users/, description: 'Any account (admins).' },
  { name: 'History', under: /^\/v1\/history/, description: 'The audit log (admins).' },
  {
    name: 'Change feed',
    under: /^\/v1\/changes/,
    description: 'Every change of any account, in order (admins).',
  },
  {
    name: 'Webhooks',
    under: /^\/v1\/webhooks/,
    description: 'Webhooks, and their delivery status (admins).',
  },
  {
    name: 'Access',
    under: /^\/v1\/(access|service-tokens)/,
    description: 'Access policy, refused sign-ins and service tokens (admins).',
  },
  {
    name: 'Console',
    under: /^\/v1\/session/,
    description: 'Signing in to the console, and its sessions.',
  },
  { name: 'Service', under: /^/, description: 'Health checks, and this document.' },
];

/**
 * Creates the OpenAPI document of these endpoints under `basePath`: every operation with every possible answer. What a record does not say
 * follows from it: the refusals of its access, parameters, query and body, and the effects of `ETag`s.
 */
export function openApiDocument(endpoints: readonly Endpoint[], basePath = ''): oas31.OpenAPIObject {
  const paths: Record<string, ZodOpenApiPathsObject[string]> = {};
  for (const endpoint of endpoints) {
    const path = endpoint.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: operation(endpoint) };
  }
  const document: ZodOpenApiObject = {
    openapi: '3.1.0',
    info: {
      title: 'Rollcall',
      version: packageJson.version,
      description: DESCRIPTION,
      contact: { name: 'Rollcall' },
      license: { name: packageJson.license, identifier: packageJson.license },
    },
    servers: [{ url: basePath || '/' }],
    tags: [
      ...TAGS.map(({ name, description }) => ({ name, description })),
      { name: MESSAGES_TAG, description: 'What the receivers of webhooks are sent.' },
    ],
    paths,
    webhooks: webhooks(),
    components: {
      schemas: { Problem: problem },
      parameters: messageParameters,
      headers: headerComponents,
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: BEARER,
        },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: '__Secure-authjs.session-token',
          description:
            'The session cookie of Auth.js 5, used where there is no `Authorization` header. Without HTTPS its name has no `__Secure-` prefix; `AUTH_COOKIE_NAME` sets another name.',
        },
        console: {
          type: 'apiKey',
          in: 'cookie',
          name: secureSessionName(basePath),
          description: `A session of the console, for its own pages alone, used where there is neither of the others or where the request has the header \`${CONSOLE_HEADER}\`. It ends after ${SESSION_IDLE_MINUTES} minutes without a request, and after ${SESSION_HOURS} hours in all; a request with \`${CONSOLE_HEADER}: ${UNATTENDED}\`, which an open page makes by itself, does not count. Outside of production, its name on this machine without HTTPS begins with \`rollcall-console\`. It exists where \`CONSOLE\` is true.`,
        },
      },
    },
  };
  return createDocument(document, { override: overrides }) as oas31.OpenAPIObject;
}

function operation(endpoint: Endpoint): ZodOpenApiOperationObject {
  const { path, access, isDoor, scope, summary, description, params, query, body, upload } = endpoint;
  return {
    operationId: operationId(endpoint),
    summary,
    description: [description, ...(scope ? [`Scope of service tokens: \`${scope}\`.`] : [])].join(' '),
    tags: TAGS.filter(({ under }) => under.test(path))
      .slice(0, 1)
      .map(({ name }) => name),
    security: access === 'public' ? [] : isDoor ? SIGN_INS : [...SIGN_INS, { console: [] }],
    requestParams: {
      ...(params && { path: params as z.ZodObject }),
      ...(query && { query }),
    },
    parameters: headerParameters(endpoint),
    ...(body && { requestBody: { required: true, content: content(body.types, body.schema) } }),
    ...(upload && { requestBody: requestBodyOf(upload) }),
    responses: responses(endpoint),
  };
}

/** An upload: text, for the document. */
function requestBodyOf({ types, description, examples }: UploadDescription): ZodOpenApiRequestBodyObject {
  return {
    required: true,
    description,
    content: Object.fromEntries(
      types.map((type) => [
        type,
        { schema: { type: 'string' as const, format: 'binary' }, example: examples[type] },
      ]),
    ),
  };
}

/** `GET /v1/users/:id` is `getUsersById`. */
function operationId({ method, path }: Endpoint): string {
  const words = path
    .replace(/^\/v1/, '')
    .replace(/:/g, 'by-')
    .split(/[^a-zA-Z0-9]+/)
    .filter((word) => word !== '');
  return method.toLowerCase() + words.map((word) => word[0]?.toUpperCase() + word.slice(1)).join('');
}

function headerParameters({
  obeysIfMatch,
  obeysLastEventId,
  readsReplica,
  ...rest
}: Endpoint): oas31.ParameterObject[] {
  const parameter = (name: string, description: string, schema: oas31.SchemaObject = {}) => ({
    name,
    in: 'header' as const,
    description,
    // Without an example: Swagger UI would send it.
    schema: { type: 'string' as const, ...schema },
  });
  return [
    ...(obeysIfMatch
      ? [
          parameter(
            'If-Match',
            'Refuse the change unless the version is one of these, such as `"3"`, or `*`.',
          ),
        ]
      : []),
    ...(isWrite(rest)
      ? [
          parameter(
            'Idempotency-Key',
            'A text of your choice for this one request, in quotes, such as a new UUID: sent again within a day, the request is not carried out again, and gets the same answer (draft-ietf-httpapi-idempotency-key-header-07). Refused requests may be sent again under their key. Dry runs ignore it.',
          ),
        ]
      : []),
    ...(isWrite(rest)
      ? [
          parameter(
            REASON,
            `Why, in at most ${MAX_REASON_LENGTH} characters: percent-encoded UTF-8, as encodeURIComponent writes it. The history keeps it with each change.`,
            { minLength: 1, pattern: PERCENT_ENCODED },
          ),
        ]
      : []),
    ...(obeysLastEventId
      ? [
          parameter(
            'Last-Event-ID',
            'The id of the last received event: an event stream continues after it, whatever the query says.',
          ),
        ]
      : []),
    ...(readsReplica
      ? [
          parameter(
            'Rollcall-Bookmark',
            'The bookmark of a write that the answer must reflect. Without one, an answer from a read replica may be a few seconds old.',
          ),
        ]
      : []),
    ...(isCacheable(rest)
      ? [
          parameter(
            'If-None-Match',
            'Entity tags that the caller has, such as `"3"`: answered with 304 if one is current.',
          ),
        ]
      : []),
  ];
}

function responses(endpoint: Endpoint): Record<`${1 | 2 | 3 | 4 | 5}${string}`, ZodOpenApiResponseObject> {
  const { answer, isPage, params } = endpoint;
  const { status, description, type, headers = {} } = answer;
  const dryRun = isWrite(endpoint) ? (endpoint.dryRunAnswer ?? dryRunAnswer) : undefined;
  const either = dryRun && answer.schema ? withDryRun(answer.schema, dryRun) : dryRun;
  const schema = status === 200 ? (either ?? answer.schema) : answer.schema;
  const refused = refusalsOf(endpoint);
  const standing = refused.some(({ code }) => code === refusals.rateLimited.code) ? STANDING : {};
  const kinds = Map.groupBy(refused, ({ status }) => status);
  return {
    ...(dryRun && {
      200: {
        description: 'With `dryRun=true`: the changes that would have been recorded.',
        headers: headerObjects(standing),
        // With what the other status has: some generated clients read every success by the schema of the first one.
        content: content(['application/json'], either),
      },
    }),
    [`${status}` as '200']: {
      description,
      headers: {
        ...(status === 200 && dryRun ? optional(headerObjects(headers)) : headerObjects(headers)),
        ...headerObjects({
          ...(dryRun && REPLAYED),
          ...(givesBookmark(endpoint) && BOOKMARKED),
          ...standing,
        }),
      },
      ...(status !== 204 &&
        status !== 303 && { content: content([type ?? 'application/json'].flat(), schema) }),
    },
    ...(isCacheable(endpoint) && {
      304: {
        description: 'The caller has the current version.',
        headers: headerObjects({ ETag: headers['ETag'] ?? '', ...standing }),
      },
    }),
    ...Object.fromEntries(
      [...kinds].map(([status, kinds]) => [
        status,
        {
          description: `${STATUS_CODES[status]}: ${kinds.map(({ code }) => `\`${code}\``).join(', ')}.`,
          headers: {
            ...optional(headerObjects(OPTIONAL_REFUSAL_HEADERS[status] ?? {})),
            ...headerObjects({ ...REFUSAL_HEADERS[status], ...standing }),
          },
          content: {
            'application/problem+json': {
              // By itself: generated clients drop answers whose schema they would have to put together.
              schema: { $ref: '#/components/schemas/Problem' },
              examples: Object.fromEntries(
                kinds.map((kind) => [kind.code, { value: exampleOf(kind, endpoint) }]),
              ),
            },
            // People are shown the page, which says that there is none.
            ...(isPage && params && status === refusals.notFound.status && content(['text/html'], undefined)),
          },
        },
      ]),
    ),
  };
}

/** The schemas of answers with or without a dry run, by the schema of the answer without one: each has one name. */
const eithers = new WeakMap<z.ZodType, z.ZodType>();

/** The schema of an answer with or without a dry run. */
function withDryRun(schema: z.ZodType, dryRun: z.ZodType): z.ZodType {
  // A report with the changes of a dry run; any object is one with changes too.
  if (schema === dryRun || schema.safeParse({ changes: [] }).success) return schema;
  const either = eithers.get(schema) ?? z.xor([dryRun, schema]).meta({ id: `${nameOf(schema)}OrDryRun` });
  eithers.set(schema, either);
  return either;
}

/** The name of the schema of an answer. Throws where it has none: generated clients would make one up. */
function nameOf(schema: z.ZodType): string {
  const name = schema.meta()?.id;
  if (name === undefined) throw new Error('The schema of an answer needs an id in its meta.');
  return name;
}

function isCacheable({ method, answer }: Pick<Endpoint, 'method' | 'answer'>): boolean {
  return method === 'GET' && answer.headers?.['ETag'] !== undefined;
}

/** The schema describes JSON; other types are text. */
function content(types: readonly string[], schema: z.ZodType | undefined): ZodOpenApiContentObject {
  return Object.fromEntries(
    types.map((type) => [
      type,
      { schema: schema !== undefined && JSON_TYPE.test(type) ? schema : ({ type: 'string' } as const) },
    ]),
  );
}
