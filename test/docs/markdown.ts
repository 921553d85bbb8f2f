/** A fenced block of code: the text between its fences, and the lines that the fences stand on, counted from 0. */
export interface Fence {
  readonly language: string;
  readonly text: string;
  readonly first: number;
  readonly last: number;
}

/** A link of a page. */
export interface Link {
  readonly target: string;
  /** Counted from 1, as editors do. */
  readonly line: number;
}

const FENCE = /^(`{3,})(.*)$/;

/**
 * The fenced blocks of a page, in order.
 * @throws Error for code that is written in any other way, and so could be a command that nobody runs: a fence that is
 * indented, quoted, made of tildes or never closed, a block that is code by its indentation or by HTML.
 */
export function fencesOf(page: string): Fence[] {
  const fences: Fence[] = [];
  const lines = page.split('\n');
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? '';
    const [, ticks, language = ''] = FENCE.exec(line) ?? [];
    if (ticks === undefined) {
      if (/^(?: {4}|\t)|~~~|```|<pre/.test(line)) {
        throw new Error(`line ${index + 1}: write code between fences at the start of a line: ${line}`);
      }
      continue;
    }
    const last = lines.indexOf(ticks, index + 1);
    if (last < 0) throw new Error(`line ${index + 1}: this fence is never closed`);
    fences.push({ language, text: lines.slice(index + 1, last).join('\n'), first: index, last });
    index = last;
  }
  return fences;
}

/** The lines of a page outside of its fences; the others are empty. */
function proseOf(page: string): string[] {
  const lines = page.split('\n');
  for (const { first, last } of fencesOf(page)) lines.fill('', first, last + 1);
  return lines;
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, title = ''] of proseOf(page)
    .join('\n')
    .matchAll(/^#{1,6} (.+)$/gm)) {
    const slug = title
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{Pc}\- ]/gu, '')
      .replaceAll(' ', '-');
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** The headings of the second level, in order. */
export function sectionsOf(page: string): string[] {
  return [
    ...proseOf(page)
      .join('\n')
      .matchAll(/^## (.+)$/gm),
  ].map(([, title = '']) => title);
}

/** The links of a page, those in its tables too. */
export function linksOf(page: string): Link[] {
  return proseOf(page).flatMap((text, index) =>
    [...text.replace(/`[^`]*`/g, '').matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => ({
      target,
      line: index + 1,
    })),
  );
}
