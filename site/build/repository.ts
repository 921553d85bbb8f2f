import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The root of the repository. */
export const ROOT = join(import.meta.dirname, '../..');

/** Where the pages are that the build makes itself, below the root. */
export const MADE = 'site/made';

/** The text of a file of the repository. */
export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** The address of a page of the site, without `.html`, by the path of its Markdown; `undefined` for what is no page. */
export function addressOf(source: string): string | undefined {
  const [, made] = new RegExp(`^${MADE}/(.+)\\.md$`).exec(source) ?? [];
  if (made !== undefined) return `/${made}`;
  if (source === 'site/index.md' || source === 'README.md') return '/';
  if (source === 'docs/README.md') return '/documentation';
  if (source === 'examples/README.md') return '/examples/';
  const [, page] = /^(?:docs\/)?([\w-]+)\.md$/.exec(source) ?? [];
  if (page !== undefined) return `/${page.toLowerCase()}`;
  const [, example] = /^examples\/([\w-]+)\/README\.md$/.exec(source) ?? [];
  return example && `/examples/${example}`;
}

/** The Markdown that people write: the documentation, and what else of the repository is for readers. */
export function writtenPages(): string[] {
  const docs = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));
  const examples = readdirSync(join(ROOT, 'examples')).map((name) => `examples/${name}/README.md`);
  return [
    'site/index.md',
    ...docs.map((name) => `docs/${name}`),
    'examples/README.md',
    ...examples.filter((path) => existsSync(join(ROOT, path))),
    ...['CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md'],
  ];
}
