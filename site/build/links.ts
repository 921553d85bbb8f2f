import { existsSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { addressOf, ROOT, read, writtenPages } from './repository.ts';

/** Links to elsewhere, to a place on the same page, and of the pages that the build makes, which link by addresses. */
const LEFT_ALONE = /^(?:[a-z]+:|#|\/)/i;

/** The files that are pages of the site. */
const pages: ReadonlySet<string> = new Set(['README.md', ...writtenPages()]);

/** The links from pages to files of the repository. */
const links: readonly {
  readonly source: string;
  readonly target: string;
  readonly file: string | undefined;
}[] = writtenPages().flatMap((source) =>
  targetsIn(read(source))
    .filter((target) => !LEFT_ALONE.test(target))
    .map((target) => ({ source, target, file: targetOf(source, target.replace(/#.*/, '')) })),
);

/**
 * Where a link leads on the site. Links are written for the repository, so that they work there too; on the site, a page may be
 * elsewhere. `undefined` for one that leads nowhere.
 */
export function hrefOnSite(source: string, target: string): string | undefined {
  if (LEFT_ALONE.test(target)) return target;
  const [path = '', anchor] = target.split('#');
  const file = targetOf(source, path);
  if (file === undefined) return undefined;
  const address = isPage(file) ? addressOf(file) : addressOfFile(file);
  return `${address}${address?.endsWith('/') ? '' : '.html'}${anchor === undefined ? '' : `#${anchor}`}`;
}

/** The address of the page that shows a file as it is: an example's program, a configuration to copy. */
export const addressOfFile = (file: string): string =>
  `/files/${file.replace(/^\./, '').replaceAll(/[^\w/-]+/g, '-')}`;

/** The files that pages link and that are no pages, by their paths in the repository. */
export function linkedFiles(): string[] {
  const files = links.flatMap(({ file }) => file ?? []);
  return [...new Set(files)].filter((file) => !isPage(file) && !/\.(?:png|svg)$/.test(file)).sort();
}

/** What is wrong with the links between files of the repository: those that lead nowhere. */
export function linkFaults(): string[] {
  return links
    .filter(({ file }) => file === undefined)
    .map(({ source, target }) => `${source} links ${target}, which is not there.`);
}

/** The file that a link of a page leads to; of a folder, its README. */
function targetOf(source: string, target: string): string | undefined {
  const file = posix.normalize(posix.join(posix.dirname(source), decodeURI(target)));
  const path = join(ROOT, file);
  if (file.startsWith('../') || !existsSync(path)) return undefined;
  return statSync(path).isDirectory() ? targetOf(source, posix.join(target, 'README.md')) : file;
}

const isPage = (file: string) => pages.has(file);

/** The targets of the links in a page, other than in its code. */
function targetsIn(page: string): string[] {
  const prose = page.replace(/^(`{3,})[^\n]*\n[\s\S]*?\n\1$/gm, '').replace(/`[^`]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
}
