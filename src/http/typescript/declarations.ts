import { refusals } from '../../domain/refusals.ts';
import { type Endpoint, isWrite } from '../endpoint.ts';
import { refusalsOf } from '../openapi/refusals.ts';
import { problem } from '../schemas/problem.ts';
import { type Operation, type OperationTree, operationsOf, treeOf } from './operations.ts';
import { comment, TypePrinter } from './types.ts';

/**
 * What the package has in place of `src/client/routes.ts`: the same types, written out, so that they need neither the endpoint records nor
 * the packages that these are made with.
 */
export function declarationsOf(endpoints: readonly Endpoint[]): string {
  const printer = new TypePrinter();
  const programs = endpoints.filter(({ isPage, path }) => !isPage && !/^\/(docs|openapi|console)/.test(path));
  const routes = programs.map((endpoint) => routeOf(endpoint, printer)).join('');
  const operations = operationsOf(endpoints);
  const details = printer.typeOf(problem, 'output');
  const codes = [...new Set(Object.values(refusals).map(({ code }) => code))].sort();
  const tree = operationsInterface(
    treeOf(operations, (operation) => signatureOf(operation)),
    '',
  );
  return `import type { List } from './list.ts';
import type { CallOptions, Id, Patch, Query, Upload, UploadOptions, WriteOptions, WriteQueryOptions } from './typed-operations.ts';

${printer.declarations()}
/** The code of each refusal. */
export type RefusalCode =
  | ${codes.map((code) => `'${code}'`).join('\n  | ')};

/** What a problem says. */
export type ProblemDetails = ${details};

/** Every endpoint by its method and path, with the types of what it takes and answers. */
export interface Routes {
${routes}}

/** Every endpoint by its name. */
export interface Operations ${tree}
`;
}

function routeOf(endpoint: Endpoint, printer: TypePrinter): string {
  const { method, path, params, query, body, answer, summary } = endpoint;
  const indented = (type: string) => type.replaceAll('\n', '\n    ');
  return `${comment(`${summary}.`, '  ')}  '${method} ${path}': {
    readonly params: ${indented(printer.typeOf(params, 'input'))};
    readonly query: ${indented(printer.queryOf(query, isWrite(endpoint) ? ['dryRun'] : []))};
    readonly body: ${indented(printer.typeOf(body?.schema, 'input'))};
    readonly answer: ${indented(printer.typeOf(answer.schema, 'output'))};
  };
`;
}

/** The type of a call, behind what it does. */
function signatureOf({ endpoint, takes }: Operation): string {
  const { method, path, answer } = endpoint;
  const route = `Routes['${method} ${path}']`;
  const current = `Routes['GET ${path}']['answer']`;
  const isEdit = method === 'PATCH' || method === 'PUT';
  const ids = (path.match(/(?<=:)\w+/g) ?? []).map(
    (name) => `${name}: ${isEdit ? `number | string | ${current}` : 'Id'}`,
  );
  const query = endpoint.query && Object.keys(endpoint.query.shape).some((name) => name !== 'dryRun');
  const body = isEdit ? `Patch<${route}['body'], ${current}>` : `${route}['body']`;
  const given = {
    list: `query?: Query<${route}['query']>, options?: CallOptions`,
    items: 'options?: CallOptions',
    query: `query?: Query<${route}['query']>, options?: CallOptions`,
    upload: `body: Upload, options?: UploadOptions<Query<${route}['query']>>`,
    body: `body: ${body}, options?: WriteOptions`,
    none: `options?: ${method === 'GET' ? 'CallOptions' : query ? `WriteQueryOptions<Query<${route}['query']>>` : 'WriteOptions'}`,
  }[takes ?? 'none'];
  const result =
    takes === 'list' || takes === 'items'
      ? `List<${route}['answer']['items'][number], ${route}['answer']>`
      : answer.schema
        ? `Promise<${route}['answer']>`
        : `Promise<${method === 'GET' ? 'Response' : 'undefined'}>`;
  return `${describe(endpoint)}\n(${[...ids, given].join(', ')}) => ${result}`;
}

/** What a call does, and its own refusals. */
function describe(endpoint: Endpoint): string {
  const own = new Set(endpoint.refusals.map(({ code }) => code));
  const codes = refusalsOf(endpoint).filter(({ code }) => own.has(code));
  const refusing = codes.length > 0 ? ` Refusals: ${codes.map(({ code }) => `\`${code}\``).join(', ')}.` : '';
  return `${endpoint.summary}: \`${endpoint.method} ${endpoint.path}\`. ${endpoint.answer.description}${refusing}`;
}

function operationsInterface(tree: OperationTree, indent: string): string {
  const inner = `${indent}  `;
  const lines = Object.entries(tree).map(([name, entry]) => {
    if (typeof entry !== 'string') return `${inner}readonly ${name}: ${operationsInterface(entry, inner)};\n`;
    const [text = '', signature = ''] = entry.split('\n');
    return `${comment(text, inner)}${inner}readonly ${name}: ${signature};\n`;
  });
  return `{\n${lines.join('')}${indent}}`;
}
