import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import {
  createDocument,
  type oas31,
  type ZodOpenApiContentObject,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiRequestBodyObject,
  type ZodOpenApiResponseObject,
} from 'zod-openapi';
import packageJson from '../../../package.json' with { type: 'json' };
import { type Problem, STATUS } from '../answer/problem.ts';
import { type Endpoint, isWrite, type UploadDescription } from '../endpoint.ts';
import { dryRunChanges } from '../schemas/change.ts';
import { problem } from '../schemas/problem.ts';
import { exampleOf } from './examples.ts';

type Code = Problem['code'];

const DESCRIPTION = [
  'Rollcall keeps the accounts behind a sign-in that happens elsewhere: who may come in, who is an admin, what each person prefers.',
  'Every refusal is a problem (RFC 9457) whose `code` says of which kind it is, and every answer has an `X-Request-Id`, the one that came with the request where that is sane.',
  'Origins in `CORS_ORIGINS` are answered with the headers of the CORS protocol, and their preflights with 204.',
  'Every path that is described here also answers `HEAD` where it answers `GET`, `OPTIONS` with `Allow`, and any other method with 405 `method_not_allowed` and `Allow`; every other path answers 404 `not_found`.',
].join(' ');

const BEARER = [
  'A token of the sign-in that Rollcall stands behind; its `email` names the account.',
  'Or a service token, which begins with `rc_`, is no JWT, and may do what its scopes say and nothing else: each operation names the scope that it needs, and those that name none are for people.',
  'With `users:write`, a service token can make, change and remove people, but no admins.',
].join(' ');

const TAGS = [
  { name: 'My account', under: /^\/v1\/me/, description: 'What everybody may do with their own account.' },
  { name: 'Accounts', under: /^\/v1\/users/, description: 'What admins may do with any account.' },
  { name: 'History', under: /^\/v1\/history/, description: 'Who has changed what, for admins.' },
  { name: 'Change feed', under: /^\/v1\/changes/, description: 'Every change to any account, for admins.' },
  { name: 'Webhooks', under: /^\/v1\/webhooks/, description: 'How those who are told of changes fare.' },
  {
    name: 'Access',
    under: /^\/v1\/(access|service-tokens)/,
    description: 'Who may come in, and who has been turned away.',
  },
  { name: 'Service', under: /^/, description: 'The process itself, and this document.' },
];

const JSON_TYPE = /^application\/(.+\+)?json$/;

/** What is known of a header beside what a record says of it; those that are required come with each such answer. */
const HEADERS: Readonly<Record<string, oas31.HeaderObject>> = {
  ETag: { required: true, schema: { type: 'string', pattern: '^"[^"]*"$' }, example: '"3"' },
  Location: { required: true, schema: { type: 'string', format: 'uri-reference' }, example: '/v1/users/1' },
  RateLimit: {
    schema: { type: 'string', pattern: '^"(failures|requests)";r=\\d+;t=\\d+$' },
    example: '"requests";r=599;t=60',
  },
  'RateLimit-Policy': {
    schema: { type: 'string', pattern: '^"(failures|requests)";q=\\d+;w=\\d+$' },
    example: '"requests";q=600;w=60',
  },
  'Retry-After': {
    required: true,
    schema: { type: 'string', pattern: '^\\d+$' },
    example: '1',
  },
  'WWW-Authenticate': {
    required: true,
    schema: { type: 'string', enum: ['Bearer', 'Bearer error="invalid_token"'] },
    example: 'Bearer',
  },
};

/** The headers that a refusal brings along, by its status. */
const REFUSAL_HEADERS: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  401: { 'WWW-Authenticate': 'What is needed (RFC 6750).' },
  412: { ETag: 'The version that it has by now.' },
  429: { 'Retry-After': 'After how many seconds it will do.' },
  503: { 'Retry-After': 'After how many seconds it is worth another try.' },
};

/** The headers of whatever is counted, where there is a limit. */
const STANDING = {
  RateLimit:
    'How many requests remain (`r`), and for how many seconds (`t`), as in draft-ietf-httpapi-ratelimit-headers-11.',
  'RateLimit-Policy': 'How many there may be (`q`) in so many seconds (`w`).',
};

/**
 * The OpenAPI document of these endpoints: every operation, with every answer that the server can give to it. What a
 * record does not say follows from it: what its access, parameters, query and body refuse, and what `ETag`s lead to.
 */
export function openApiDocument(endpoints: readonly Endpoint[]): oas31.OpenAPIObject {
  const paths: Record<string, ZodOpenApiPathsObject[string]> = {};
  for (const endpoint of endpoints) {
    const path = endpoint.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: operation(endpoint) };
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Rollcall',
      version: packageJson.version,
      description: DESCRIPTION,
      license: { name: packageJson.license, identifier: packageJson.license },
    },
    tags: TAGS.map(({ name, description }) => ({ name, description })),
    paths,
    components: {
      schemas: { Problem: problem },
      headers: {
        RequestId: {
          required: true,
          description: "The request's id, which the log has too.",
          schema: { type: 'string' },
          example: '5f0c4b1e-8a53-4d0e-9d0b-3f1f6a2b7c11',
        },
      },
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
            'The session cookie of Auth.js 5, where there is no `Authorization` header: without HTTPS it has no `__Secure-` in front, and `AUTH_COOKIE_NAME` gives it another name.',
        },
      },
    },
  }) as oas31.OpenAPIObject;
}

/** What befalls those who are asked who they are; people are forbidden what is for admins, service tokens what is for people. */
const AUTHENTICATION_REFUSALS: readonly Code[] = [
  'unauthenticated',
  'email_unverified',
  'account_required',
  'account_suspended',
  'forbidden',
  'identity_provider_unavailable',
  'rate_limited',
];

/** Every code that the endpoint can refuse a request with. */
export function refusalsOf({
  method,
  access,
  params,
  body,
  upload,
  heedsIfMatch,
  refusals,
}: Endpoint): Set<Code> {
  return new Set<Code>([
    ...refusals,
    // Also where there is no query at all: parameters that mean nothing are refused.
    'invalid_query',
    ...(access === 'public' ? [] : AUTHENTICATION_REFUSALS),
    ...(access === 'public' || method === 'GET' ? [] : (['cross_site'] as const)),
    ...(params ? (['not_found'] as const) : []),
    // Not `request_aborted`: there is nobody left to read it.
    ...(body ? (['body_too_large', 'unsupported_media_type', 'invalid_input'] as const) : []),
    ...(body?.types.some((type) => JSON_TYPE.test(type)) ? (['malformed_json'] as const) : []),
    ...(upload ? (['unsupported_media_type'] as const) : []),
    ...(heedsIfMatch ? (['precondition_failed'] as const) : []),
    // What is done over and over and still meets others at the same work each time.
    ...(method === 'GET' ? [] : (['lost_race'] as const)),
    'internal',
    'database_unavailable',
  ]);
}

function operation(endpoint: Endpoint): ZodOpenApiOperationObject {
  const { path, access, scope, summary, params, query, body, upload } = endpoint;
  return {
    operationId: operationId(endpoint),
    summary,
    ...(scope && { description: `A service token needs the scope \`${scope}\`.` }),
    tags: TAGS.filter(({ under }) => under.test(path))
      .slice(0, 1)
      .map(({ name }) => name),
    security: access === 'public' ? [] : [{ bearer: [] }, { session: [] }],
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

/** One that is read as it comes: to the document it is text. */
function requestBodyOf({ types, description, examples }: UploadDescription): ZodOpenApiRequestBodyObject {
  return {
    required: true,
    description,
    content: Object.fromEntries(
      types.map((type) => [type, { schema: { type: 'string' as const }, example: examples[type] }]),
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

function headerParameters({ heedsIfMatch, heedsLastEventId, ...rest }: Endpoint): oas31.ParameterObject[] {
  const parameter = (name: string, description: string) => ({
    name,
    in: 'header' as const,
    description,
    // Without an example: Swagger UI would send it.
    schema: { type: 'string' as const },
  });
  return [
    ...(heedsIfMatch
      ? [parameter('If-Match', 'The entity tags, such as `"3"`, with which alone it shall be done, or `*`.')]
      : []),
    ...(heedsLastEventId
      ? [
          parameter(
            'Last-Event-ID',
            'The id of the last event that came: an event stream goes on after it, whatever the query says.',
          ),
        ]
      : []),
    ...(isCacheable(rest)
      ? [
          parameter(
            'If-None-Match',
            'The entity tags, such as `"3"`, that the caller has already: with one of them it is 304.',
          ),
        ]
      : []),
  ];
}

function responses(endpoint: Endpoint): Record<`${1 | 2 | 3 | 4 | 5}${string}`, ZodOpenApiResponseObject> {
  const { status, description, type, headers = {} } = endpoint.answer;
  const rehearsal = isWrite(endpoint) ? rehearsalOf(endpoint) : undefined;
  const schema =
    status === 200 && rehearsal
      ? z.union([endpoint.answer.schema ?? z.any(), rehearsal])
      : endpoint.answer.schema;
  const standing = endpoint.access === 'public' ? {} : STANDING;
  const codes = Map.groupBy([...refusalsOf(endpoint)].sort(), (code) => STATUS[code]);
  return {
    ...(rehearsal && {
      200: {
        description: 'With `dryRun=true`: what would have been written.',
        headers: headerObjects(standing),
        content: content(['application/json'], rehearsal),
      },
    }),
    [`${status}` as '200']: {
      description,
      headers: {
        ...(status === 200 && rehearsal ? optional(headerObjects(headers)) : headerObjects(headers)),
        ...headerObjects(standing),
      },
      ...(status !== 204 && { content: content([type ?? 'application/json'].flat(), schema) }),
    },
    ...(isCacheable(endpoint) && {
      304: {
        description: 'The caller has it already.',
        headers: headerObjects({ ETag: headers['ETag'] ?? '', ...standing }),
      },
    }),
    ...Object.fromEntries(
      [...codes].map(([status, codes]) => [
        status,
        {
          description: STATUS_CODES[status] ?? '',
          headers: headerObjects({ ...REFUSAL_HEADERS[status], ...standing }),
          content: {
            'application/problem+json': {
              schema: {
                allOf: [
                  { $ref: '#/components/schemas/Problem' },
                  { properties: { status: { const: status }, code: { enum: codes } } },
                ],
              },
              examples: Object.fromEntries(codes.map((code) => [code, { value: exampleOf(code, endpoint) }])),
            },
          },
        },
      ]),
    ),
  };
}

/** What a dry run is answered with. */
function rehearsalOf({ rehearsesResult = false, answer }: Endpoint): z.ZodObject {
  const changes = z.strictObject({ changes: dryRunChanges });
  return rehearsesResult && answer.schema instanceof z.ZodObject
    ? answer.schema.extend(changes.shape)
    : changes;
}

function isCacheable({ method, answer }: Pick<Endpoint, 'method' | 'answer'>): boolean {
  return method === 'GET' && answer.headers?.['ETag'] !== undefined;
}

/** The schema is one of JSON; in other types it can say nothing of the text as a whole. */
function content(types: readonly string[], schema: z.ZodType | undefined): ZodOpenApiContentObject {
  return Object.fromEntries(
    types.map((type) => [
      type,
      { schema: schema !== undefined && JSON_TYPE.test(type) ? schema : ({ type: 'string' } as const) },
    ]),
  );
}

/** For what a dry run shares its status with, and has no entity to tell of. */
function optional(headers: oas31.HeadersObject): oas31.HeadersObject {
  return Object.fromEntries(
    Object.entries(headers).map(([name, header]) => [
      name,
      '$ref' in header ? header : { ...header, required: false },
    ]),
  );
}

function headerObjects(headers: Readonly<Record<string, string>>): oas31.HeadersObject {
  return {
    'X-Request-Id': { $ref: '#/components/headers/RequestId' },
    ...Object.fromEntries(
      Object.entries(headers).map(([name, description]) => [
        name,
        { schema: { type: 'string' }, ...HEADERS[name], description },
      ]),
    ),
  };
}
