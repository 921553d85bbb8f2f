import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './checkout.ts';

/** The pages for readers, by their paths in the repository: the front page, that of the site, and all of `docs/`. */
export const PAGES: readonly string[] = [
  'README.md',
  'site/index.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`)
    .sort(),
];

/** The text of a page. */
export function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}
