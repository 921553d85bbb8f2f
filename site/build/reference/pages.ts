import { slug } from 'github-slugger';
import { type Described, type Document, operationsIn } from './document.ts';
import { badge, code, described, escaped } from './html.ts';
import { sectionOf } from './operation.ts';
import { refusalsText } from './refusals.ts';
import { SchemaView } from './schema.ts';

/** A page of the reference. */
export interface ReferencePage {
  readonly title: string;
  /** Its address on the site. */
  readonly address: string;
  /** Its Markdown. */
  readonly text: string;
  /** Its sections, which are operations: title and place. */
  readonly sections: readonly { readonly title: string; readonly anchor: string }[];
}

/** The endpoints, or the messages, under one tag of the document. */
interface Tag {
  readonly name: string;
  readonly description: string;
  readonly address: string;
  readonly operations: readonly Described[];
}

/** The pages of the reference: an overview, a page for each tag, and one for the codes of refusals. */
export function referencePages(document: Document): ReferencePage[] {
  const operations = operationsIn(document);
  const tags = document.tags.map(({ name, description }) => ({
    name,
    description,
    address: `/reference/${slug(name)}`,
    operations: operations.filter(({ operation }) => operation.tags.includes(name)),
  }));
  const view = new SchemaView(document);
  return [
    page('Overview', '/reference/index', overviewText(document, tags)),
    ...tags.map(({ name, description, address, operations }) => {
      const text = [
        `# ${name}`,
        described(description),
        ...operations.map((each) => sectionOf(each, document, view)),
      ];
      return page(name, address, text, operations);
    }),
    page('Refusals', '/reference/refusals', refusalsText(operations)),
  ];
}

/** A page. In place of the list of its sections, which is at the left, operations have samples at the right. */
function page(
  title: string,
  address: string,
  parts: readonly string[],
  operations: readonly Described[] = [],
): ReferencePage {
  const settings = ['pageClass: reference', ...(operations.length > 0 ? ['aside: false'] : [])];
  return {
    title,
    address,
    text: ['---', ...settings, '---', '', parts.join('\n\n'), ''].join('\n'),
    sections: operations.map(({ operation: { summary } }) => ({ title: summary, anchor: slug(summary) })),
  };
}

function overviewText({ info, components }: Document, tags: readonly Tag[]): string[] {
  const schemes = Object.entries(components.securitySchemes).map(
    ([name, { description }]) => `| \`${name}\` | ${description.replaceAll('|', '\\|')} |`,
  );
  return [
    '# HTTP API',
    info.description,
    'This reference is made from the OpenAPI document of the service: <a href="../openapi.json" download>openapi.json</a>. A service that runs has it at `/openapi.json`, and at `/docs` a page to try it.',
    '## Signing in',
    ['| scheme | what it is |', '| --- | --- |', ...schemes].join('\n'),
    '## Endpoints',
    ...tags.flatMap((tag) => [`### ${tag.name}`, endpointsOf(tag)]),
  ];
}

function endpointsOf({ address, operations }: Tag): string {
  const rows = operations.map(({ method, path, operation: { summary } }) => {
    const link = `.${address.replace('/reference', '')}.html#${slug(summary)}`;
    return `<li>${badge(method)} ${code(path)} <a href="${link}">${escaped(summary)}</a></li>`;
  });
  return `<ul class="endpoints" v-pre>${rows.join('')}</ul>`;
}
