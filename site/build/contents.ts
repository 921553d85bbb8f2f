import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { ROOT, read, writtenPages } from './repository.ts';

/** The page that lists all others. */
export const CONTENTS = 'docs/README.md';

/** A page as it is listed. */
export interface Entry {
  readonly title: string;
  /** What it is about, for people and for search engines; as Markdown. */
  readonly description: string;
  /** The path of its Markdown. */
  readonly source: string;
}

/** A group of pages under a title. */
export interface Group {
  readonly title: string;
  readonly entries: readonly Entry[];
}

/** The groups of {@link CONTENTS}: a title in bold, then a list of `[title](page): description`. */
export function contents(): Group[] {
  return read(CONTENTS)
    .split(/^(?=\*\*)/m)
    .slice(1)
    .map((part) => {
      const [, title = ''] = /^\*\*(.+)\*\*$/m.exec(part) ?? [];
      const items = [...part.matchAll(/^- \[([^\]]+)\]\(([^)#]+)\): (.+(?:\n {2}.+)*)$/gm)];
      const entries = items.map(([, title = '', target = '', description = '']) => ({
        title,
        description: description.replace(/\s+/g, ' '),
        source: posix.normalize(posix.join(posix.dirname(CONTENTS), target)),
      }));
      return { title, entries };
    });
}

/** What is wrong with that list: a page that is listed and absent, or twice, and one that is there and not listed. */
export function contentsFaults(): string[] {
  const listed = contents().flatMap(({ entries }) => entries.map(({ source }) => source));
  const expected = writtenPages().filter(
    (path) => path !== CONTENTS && path !== 'site/index.md' && !/^examples\/.+\/README\.md$/.test(path),
  );
  return [
    ...expected
      .filter((path) => !listed.includes(path))
      .map((path) => `${path} is not listed in ${CONTENTS}.`),
    ...listed
      .filter((path) => !existsSync(join(ROOT, path)))
      .map((path) => `${CONTENTS} lists ${path}, which is not there.`),
    ...listed
      .filter((path, index) => listed.indexOf(path) < index)
      .map((path) => `${CONTENTS} lists ${path} twice.`),
  ];
}

/** The examples, by the table on their page: the path of each one's Markdown, and its name. */
export function examples(): Entry[] {
  return [...read('examples/README.md').matchAll(/^\| \[([^\]]+)\]\(([^)]+)\) \| (.+) \|$/gm)].map(
    ([, title = '', target = '', description = '']) => ({
      title,
      description,
      source: `examples/${target}`,
    }),
  );
}
