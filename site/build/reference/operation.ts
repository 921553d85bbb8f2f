import {
  type Answer,
  type Content,
  type Described,
  type Document,
  isJson,
  type Operation,
  resolved,
} from './document.ts';
import { badge, code, described } from './html.ts';
import { samplesOf } from './samples.ts';
import type { SchemaView } from './schema.ts';

/** The titles of parameters, by where they go. */
const PLACES = { path: 'Path', query: 'Query', header: 'Headers' } as const;

/** An operation as Markdown: what it takes and answers on the left, samples on the right. */
export function sectionOf(described: Described, document: Document, view: SchemaView): string {
  return [
    `## ${described.operation.summary}`,
    '<div class="operation">',
    `<div class="facts" v-pre>${factsOf(described, document, view)}</div>`,
    '<div class="samples">',
    ...samplesOf(described, document),
    '</div>',
    '</div>',
  ].join('\n\n');
}

function factsOf(
  { method, path, isMessage, operation }: Described,
  document: Document,
  view: SchemaView,
): string {
  const { description, parameters = [], requestBody, responses } = operation;
  const all = parameters.map((parameter) => resolved(document, parameter));
  const groups = Object.entries(PLACES).flatMap(([place, title]) => {
    const group = all.filter((each) => each.in === place);
    if (group.length === 0) return [];
    const fields = group.map((each) => ({ ...each, isRequired: each.required ?? false }));
    return [heading(title), view.fields(fields)];
  });
  return [
    `<p class="endpoint">${isMessage ? '' : badge(method)} ${code(path)}</p>`,
    `<p>${described(description)}</p>`,
    ...groups,
    ...(requestBody ? [heading('Body'), bodyOf(requestBody.content, view, requestBody.description)] : []),
    heading(isMessage ? 'Your answer' : 'Answers'),
    ...Object.entries(responses)
      .filter(([, answer]) => refusedCodes(answer).length === 0)
      .map(([status, answer]) => answerOf(status, answer, view)),
    refusalsOf(responses),
  ].join('');
}

const heading = (title: string) => `<h3>${title}</h3>`;

function bodyOf(content: Content, view: SchemaView, description = ''): string {
  const types = Object.keys(content).map(code).join(' or ');
  const about = description === '' ? '' : `<p>${described(description)}</p>`;
  const [type = '', { schema } = {}] = Object.entries(content)[0] ?? [];
  return `<p class="types">${types}</p>${about}${isJson(type) && schema ? view.body(schema) : ''}`;
}

function answerOf(status: string, { description, content, headers = {} }: Answer, view: SchemaView): string {
  const names = Object.keys(headers);
  const inside = [
    content ? bodyOf(content, view) : '',
    names.length === 0 ? '' : `<p class="headers">Headers: ${names.map(code).join(', ')}</p>`,
  ].join('');
  const title = `<span class="status">${status}</span> ${described(description)}`;
  return inside === ''
    ? `<p class="answer">${title}</p>`
    : `<details class="answer"><summary>${title}</summary>${inside}</details>`;
}

/** The refusals by status, each code with a link to what it means. */
function refusalsOf(responses: Operation['responses']): string {
  const rows = Object.entries(responses).flatMap(([status, answer]) => {
    const codes = refusedCodes(answer).map((name) => `<a href="./refusals.html#${name}">${code(name)}</a>`);
    return codes.length === 0 ? [] : [`<dt>${status}</dt><dd>${codes.join(' ')}</dd>`];
  });
  if (rows.length === 0) return '';
  return `<details class="refusals"><summary>Refusals</summary><dl>${rows.join('')}</dl></details>`;
}

const refusedCodes = ({ content }: Answer) =>
  Object.keys(content?.['application/problem+json']?.examples ?? {});
