import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { addressOfFile, linkedFiles } from './links.ts';
import { MADE, ROOT, read } from './repository.ts';

/** The language of a file by the end of its name, where that is another word. */
const LANGUAGES: Readonly<Record<string, string>> = {
  '.cfg': 'ini',
  '.example': 'ini',
  '.mjs': 'js',
  '.service': 'ini',
  '.txt': 'text',
};

/** Writes the pages that are made, below {@link MADE}: one for each file that a page links. */
export function writeMadePages(): void {
  const pages = linkedFiles().map((file) => [addressOfFile(file), pageOfFile(file)] as const);
  rmSync(join(ROOT, MADE), { recursive: true, force: true });
  for (const [address, text] of pages) {
    const path = join(ROOT, MADE, `${address}.md`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

/** A file of the repository as it is. */
function pageOfFile(file: string): string {
  const extension = extname(file);
  const language = LANGUAGES[extension] ?? extension.slice(1);
  return `# \`${file}\`\n\n\`\`\`\`${language}\n${read(file).trimEnd()}\n\`\`\`\`\n`;
}
