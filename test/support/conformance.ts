import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { oas31 } from 'zod-openapi';
import { openApiDocument } from '../../src/http/openapi/document.ts';
import { KNOWN_VALUES } from '../../src/http/schemas/open-list.ts';
import type { TestApp } from './app.ts';
import { describedEndpoints } from './endpoints.ts';
import type { Delivery } from './webhooks.ts';

/** Headers that an answer may have only if the document lists them. */
const LISTED_HEADERS = [
  'allow',
  'content-disposition',
  'etag',
  'idempotent-replayed',
  'link',
  'location',
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
  'rollcall-warning',
  'www-authenticate',
  'x-request-id',
];

/** An app whose answers are all checked against its own OpenAPI document. */
export interface ConformingApp extends TestApp {
  readonly document: oas31.OpenAPIObject;
  /** The answers so far as `operationId status code`, with the code only for problems. */
  readonly answered: Set<string>;
}

/** Wraps `call` so that it throws when an answer does not conform to `/openapi.json`. */
export async function conforming(app: TestApp): Promise<ConformingApp> {
  const document = (await (await app.call('/openapi.json')).json()) as oas31.OpenAPIObject;
  const answered = new Set<string>();
  const check = conformance(document);
  return {
    ...app,
    document,
    answered,
    async call(path, options = {}) {
      const response = await app.call(path, options);
      answered.add(await check(path, options, response.clone()));
      return response;
    },
  };
}

/** Throws when a message to a webhook is not as the document says: its headers and its body. */
export function expectDescribed({ headers, body }: Pick<Delivery, 'headers' | 'body'>): void {
  const document = openApiDocument(describedEndpoints());
  const { post } = document.webhooks?.[body.type] ?? {};
  if (post === undefined) throw new Error(`The document has no message ${body.type}.`);
  for (const { $ref } of (post.parameters ?? []) as oas31.ReferenceObject[]) {
    const parameter = document.components?.parameters?.[$ref.split('/').at(-1) ?? ''];
    const { name } = parameter as oas31.ParameterObject;
    if (headers[name] === undefined) throw new Error(`The message has no ${name}.`);
  }
  const at = ['webhooks', body.type, 'post', 'requestBody', 'content', 'application/json', 'schema'];
  const validate = schemaAt(document)(...at);
  if (!validate(body)) throw new Error(`The message does not match: ${JSON.stringify(validate.errors)}`);
}

/** Compiles validators for parts of the document, each found by its keys. */
export function schemaAt(document: oas31.OpenAPIObject): (...keys: string[]) => ValidateFunction {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  // Callers must accept others; our own answers have no others.
  ajv.addKeyword({
    keyword: KNOWN_VALUES,
    schemaType: 'array',
    validate: (known: unknown[], value: unknown) => known.includes(value),
  });
  ajv.addSchema({ ...document }, 'document', false, false);
  return (...keys) => {
    const pointer = keys.map((key) => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1')));
    return ajv.compile({ $ref: `document#/${pointer.join('/')}` });
  };
}

/**
 * Checks an answer against its operation in the document: status, type, headers and body. If the request succeeded, its
 * parameters and body must conform too. Returns `operationId status code`, and throws if something does not conform.
 */
export function conformance(
  document: oas31.OpenAPIObject,
): (path: string, request: RequestInit, response: Response) => Promise<string> {
  const schema = schemaAt(document);
  const templates = Object.keys(document.paths ?? {}).map((template) => ({
    template,
    pattern: new RegExp(`^${template.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}/?$`),
  }));
  // A literal path wins over one with parameters.
  templates.sort((a, b) => a.template.split('{').length - b.template.split('{').length);

  return async (path, request, response) => {
    const { pathname, searchParams } = new URL(path, 'http://localhost');
    const requestMethod = (request.method ?? 'GET').toUpperCase();
    const method = (requestMethod === 'HEAD' ? 'GET' : requestMethod).toLowerCase();
    const prefix = `${requestMethod} ${path} was answered ${response.status}, but`;
    const fail = (message: string): never => {
      throw new Error(`${prefix} ${message}`);
    };
    const valid = (value: unknown, what: string, ...keys: string[]) => {
      const validate = schema(...keys);
      if (!validate(value))
        fail(
          `${what} does not match its schema: ${JSON.stringify(validate.errors)} in ${JSON.stringify(value)}`,
        );
    };
    const text = await response.text();
    const type = response.headers.get('content-type')?.split(';')[0] ?? '';
    if (response.headers.get('x-request-id') === null) fail('it has no X-Request-Id');

    const template = templates.find(({ pattern }) => pattern.test(pathname))?.template;
    const operations = template === undefined ? undefined : document.paths?.[template];
    const operation = operations?.[method as 'get'];
    if (template === undefined || operation === undefined) {
      // The document describes these answers in prose only.
      const status = template === undefined ? 404 : method === 'options' ? 200 : 405;
      if (response.status !== status) fail(`the document has no such operation: expected ${status}`);
      if ((response.headers.get('allow') !== null) !== (template !== undefined))
        fail('Allow is missing or unexpected');
      if (status !== 200) valid(JSON.parse(text), 'the problem', 'components', 'schemas', 'Problem');
      return `- ${status}`;
    }

    const responseKeys = ['paths', template, method, 'responses', `${response.status}`];
    const documented = operation.responses?.[`${response.status}`] as oas31.ResponseObject | undefined;
    if (documented === undefined) return fail(`the document does not list this status: ${text}`);

    const headers = Object.entries(documented.headers ?? {});
    for (const [name, header] of headers) {
      const shared = '$ref' in header ? header.$ref?.split('/').slice(1) : undefined;
      const at = shared ?? [...responseKeys, 'headers', name];
      const known = shared ? document.components?.headers?.[shared.at(-1) ?? ''] : header;
      if (known === undefined) return fail(`the document does not say what ${name} is`);
      const value = response.headers.get(name);
      if (value === null && 'required' in known && known.required) fail(`${name} is missing`);
      if (value !== null) valid(value, name, ...at, 'schema');
    }
    const names = new Set(headers.map(([name]) => name.toLowerCase()));
    for (const name of LISTED_HEADERS) {
      if (response.headers.has(name) && !names.has(name)) fail(`${name} is not documented`);
    }

    let code = '';
    if (documented.content === undefined) {
      if (text !== '') fail(`it has a body: ${text}`);
    } else {
      if (!(type in documented.content)) fail(`its type ${type} is not documented`);
      if (requestMethod !== 'HEAD') {
        const value = /[/+]json$/.test(type) ? JSON.parse(text) : text;
        valid(value, 'the body', ...responseKeys, 'content', type, 'schema');
        if (type === 'application/problem+json') code = ` ${value.code}`;
      }
    }

    if (response.ok) {
      const parameters = (operation.parameters ?? []) as oas31.ParameterObject[];
      // Pages read the query of their address themselves.
      const isPage = documented.content !== undefined && 'text/html' in documented.content;
      for (const name of isPage ? [] : searchParams.keys()) {
        if (!parameters.some((parameter) => parameter.in === 'query' && parameter.name === name)) {
          fail(`the parameter ${name} is not documented`);
        }
      }
      const sent = new Headers(request.headers).get('content-type')?.split(';')[0] ?? '';
      const body = operation.requestBody as oas31.RequestBodyObject | undefined;
      if (body !== undefined) {
        if (!(sent in body.content)) fail(`the body's type ${sent} is not documented`);
        if (/[/+]json$/.test(sent) && typeof request.body === 'string') {
          const at = ['paths', template, method, 'requestBody', 'content', sent, 'schema'];
          valid(JSON.parse(request.body), "the request's body", ...at);
        }
      }
    }
    return `${operation.operationId} ${response.status}${code}`;
  };
}
