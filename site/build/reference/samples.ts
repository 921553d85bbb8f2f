import { sample } from 'openapi-sampler';
import { OPERATIONS } from '../../../src/client/operations.ts';
import { type Described, type Document, isJson, type Operation, resolved, type Schema } from './document.ts';
import { code } from './html.ts';

/** What stands in samples for parts that only callers know. */
const CREDENTIALS = 'Authorization: Bearer …';

/** Samples of an operation as Markdown: its name in the client, a request, a good answer. */
export function samplesOf(described: Described, document: Document): string[] {
  const request = fenceOf('http', requestOf(described, document));
  if (described.isMessage) return [request];
  return [...clientCall(described), request, ...answerOf(described.operation, document)];
}

/** How the client calls it, if it has a name there. */
function clientCall({ method, path }: Described): string[] {
  const route = path.replace(/\{(\w+)\}/g, ':$1');
  const found = callsIn(OPERATIONS).find(([, [verb, target]]) => verb === method && target === route);
  if (found === undefined) return [];
  const [name, [, , takes]] = found;
  const given = [
    ...[...route.matchAll(/:(\w+)/g)].map(([, id]) => id),
    ...(takes === 'body' ? ['body'] : takes === 'upload' ? ['file'] : []),
  ];
  const call = code(`client.${name}(${given.join(', ')})`);
  return [`<p class="client">In <a href="../client.html">the client</a>: ${call}</p>`];
}

type Names = { readonly [name: string]: string | Names };

/** The client's calls: the name of each, with its method, its path and what it takes. */
function callsIn(names: Names, prefix = ''): [name: string, parts: string[]][] {
  return Object.entries(names).flatMap(([name, value]): [string, string[]][] =>
    typeof value === 'string' ? [[prefix + name, value.split(' ')]] : callsIn(value, `${prefix}${name}.`),
  );
}

/** A request as it goes over the line. */
function requestOf({ method, path, isMessage, operation }: Described, document: Document): string {
  const { requestBody, parameters = [], security } = operation;
  const all = parameters.map((parameter) => resolved(document, parameter));
  const idIn = (name: string) => exampleOf(all.find((each) => each.name === name)?.schema ?? {}, document);
  const target = isMessage ? '/rollcall' : path.replace(/\{(\w+)\}/g, (_, name: string) => `${idIn(name)}`);
  const [[type, body] = []] = Object.entries(requestBody?.content ?? {});
  const head = [
    `${method} ${target} HTTP/1.1`,
    ...(security?.length ? [CREDENTIALS] : []),
    ...(all.some(({ name }) => name === 'If-Match') ? ['If-Match: "3"'] : []),
    ...all.filter(({ example }) => example !== undefined).map(({ name, example }) => `${name}: ${example}`),
    ...(type === undefined ? [] : [`Content-Type: ${type}`]),
  ];
  if (body === undefined) return head.join('\n');
  return [...head, '', shown(body.example ?? exampleOf(body.schema ?? {}, document))].join('\n');
}

/** A good answer in JSON; of a write, that without a dry run. */
function answerOf({ responses }: Operation, document: Document): string[] {
  const [, { content = {} } = {}] = Object.entries(responses).findLast(([status]) => /^2/.test(status)) ?? [];
  const [[type = '', { schema } = {}] = []] = Object.entries(content);
  return schema && isJson(type) ? [fenceOf('json', shown(exampleOf(schema, document)))] : [];
}

function exampleOf(schema: Schema, document: Document): unknown {
  const { oneOf } = resolved(document, schema);
  // The last one is that without a dry run.
  const last = oneOf?.at(-1);
  return last ? exampleOf(last, document) : sample(schema as Parameters<typeof sample>[0], {}, document);
}

const shown = (value: unknown) =>
  typeof value === 'string' ? value.trimEnd() : JSON.stringify(value, null, 2);

const fenceOf = (language: string, text: string) => `\`\`\`\`${language}\n${text}\n\`\`\`\``;
