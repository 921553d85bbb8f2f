import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { addressOfFile, linkedFiles } from './links.ts';
import { readDocument } from './reference/document.ts';
import { type ReferencePage, referencePages } from './reference/pages.ts';
import { MADE, ROOT, read } from './repository.ts';

/** The language of a file by the end of its name, where that is another word. */
const LANGUAGES: Readonly<Record<string, string>> = {
  '.cfg': 'ini',
  '.example': 'ini',
  '.mjs': 'js',
  '.service': 'ini',
  '.txt': 'text',
};

/** Files that the site has as they are. */
export const PUBLIC = `${MADE}/public`;

/**
 * Writes the pages that are made, below {@link MADE}: the reference, and one for each file that a page links. Returns the pages of the
 * reference.
 */
export function writeMadePages(): readonly ReferencePage[] {
  const { text, document } = readDocument();
  const reference = referencePages(document);
  rmSync(join(ROOT, MADE), { recursive: true, force: true });
  write(`${PUBLIC}/openapi.json`, text);
  for (const file of linkedFiles()) write(`${MADE}${addressOfFile(file)}.md`, pageOfFile(file));
  for (const { address, text } of reference) write(`${MADE}${address}.md`, text);
  return reference;
}

function write(path: string, text: string): void {
  mkdirSync(dirname(join(ROOT, path)), { recursive: true });
  writeFileSync(join(ROOT, path), text);
}

/** A file of the repository as it is. */
function pageOfFile(file: string): string {
  const extension = extname(file);
  const language = LANGUAGES[extension] ?? extension.slice(1);
  return `---\nsearch: false\n---\n\n# \`${file}\`\n\n\`\`\`\`${language}\n${read(file).trimEnd()}\n\`\`\`\`\n`;
}
