import type { oas31 } from 'zod-openapi';

/** Schemas of headers, beside the description in an endpoint's record; required ones come with every such answer. */
const HEADERS: Readonly<Record<string, oas31.HeaderObject>> = {
  ETag: { required: true, schema: { type: 'string', pattern: '^"[^"]*"$' }, example: '"3"' },
  'Idempotent-Replayed': { schema: { type: 'string', const: 'true' }, example: 'true' },
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
  'Rollcall-Bookmark': {
    schema: { type: 'string', pattern: '^[0-9a-f]{1,12}-(0|[1-9]\\d{0,18})$' },
    example: '3f9c2a7be1d0-24117248',
  },
  'Rollcall-Warning': {
    schema: { type: 'string' },
    example: 'INITIAL_ADMINS names this account: the next start makes it an active admin again',
  },
  'WWW-Authenticate': {
    required: true,
    schema: { type: 'string', enum: ['Bearer', 'Bearer error="invalid_token"'] },
    example: 'Bearer',
  },
};

/** The headers of refusals, by status. */
export const REFUSAL_HEADERS: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  401: { 'WWW-Authenticate': 'The required credentials (RFC 6750).' },
  412: { ETag: 'The current version.' },
  429: { 'Retry-After': 'Seconds until the next request is allowed.' },
  503: { 'Retry-After': 'Seconds until a retry makes sense.' },
};

/** The headers of some of the refusals with a status. */
export const OPTIONAL_REFUSAL_HEADERS: typeof REFUSAL_HEADERS = {
  409: { 'Retry-After': 'Seconds until a retry makes sense, where a request is in progress.' },
};

/** The headers of answers to repeated writes. */
export const REPLAYED = {
  'Idempotent-Replayed':
    'Set where a request under this `Idempotency-Key` was carried out before, and this is its answer.',
};

/** The headers of answers to writes and of the feed, where there are read replicas. */
export const BOOKMARKED = {
  'Rollcall-Bookmark':
    'Where the log of the database was: a read that comes with it sees what this request has written or was shown, whichever server it is read from.',
};

/** The headers of answers to counted requests, where there is a rate limit. */
export const STANDING = {
  RateLimit: 'Remaining requests (`r`) in the next `t` seconds (draft-ietf-httpapi-ratelimit-headers-11).',
  'RateLimit-Policy': 'The limit: `q` requests in `w` seconds.',
};

/** Headers of an answer that shares its status with a dry run, which has none of them. */
export function optional(headers: oas31.HeadersObject): oas31.HeadersObject {
  return Object.fromEntries(
    Object.entries(headers).map(([name, header]) => [
      name,
      '$ref' in header ? header : { ...header, required: false },
    ]),
  );
}

/** Headers with one description wherever they come: most of the document would be these. */
const COMMON: Readonly<Record<string, string>> = { ...STANDING, ...REPLAYED, ...BOOKMARKED };

/** The components that answers refer to. */
export const headerComponents: oas31.HeadersObject = {
  RequestId: {
    required: true,
    description: "The request's id, as in the log.",
    schema: { type: 'string' },
    example: '5f0c4b1e-8a53-4d0e-9d0b-3f1f6a2b7c11',
  },
  ...Object.fromEntries(
    Object.entries(COMMON).map(([name, description]) => [
      componentOf(name),
      { ...HEADERS[name], description },
    ]),
  ),
};

/** The component of a header: that of `webhook-id` is `WebhookId`. */
export function componentOf(name: string): string {
  return name.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** The header objects of an answer, with the request id that every answer has. */
export function headerObjects(headers: Readonly<Record<string, string>>): oas31.HeadersObject {
  return {
    'X-Request-Id': { $ref: '#/components/headers/RequestId' },
    ...Object.fromEntries(
      Object.entries(headers).map(([name, description]) => [
        name,
        COMMON[name] === description
          ? { $ref: `#/components/headers/${componentOf(name)}` }
          : { schema: { type: 'string' }, ...HEADERS[name], description },
      ]),
    ),
  };
}
