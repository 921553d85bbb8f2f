import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { type Compressible, compressible, fixed } from './fixed.ts';

/** The page's own policy: its script, its style sheet and this service, and no way to make script of a text (Trusted Types). */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join(';');

const HTML = 'text/html; charset=utf-8';

/** The media types of the page's files, by the ends of their names. */
const TYPES = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
} as const;

/** A file whose name changes with its content. */
export const HASHED = /-[A-Z0-9]{8}\.\w+$/;

const brand = (urlOf: (name: string) => string) =>
  `<span class="brand"><img src="${urlOf('icon.svg')}" alt="">Rollcall</span>`;

/** `scripts` are the files that the page needs at once: browsers need not wait for one script to know the next. */
const pageAt = (
  basePath: string,
  urlOf: (name: string) => string,
  scripts: readonly string[],
) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
    <meta name="color-scheme" content="light dark">
    <meta name="base-path" content="${basePath}">
    <title>Rollcall</title>
    <link rel="icon" type="image/svg+xml" href="${urlOf('icon.svg')}">
    <script src="${urlOf('start.js')}"></script>
    <link rel="stylesheet" href="${urlOf('console.css')}">
${scripts.map((name) => `    <link rel="modulepreload" href="${urlOf(name)}">\n`).join('')}    <script type="module" src="${urlOf('console.js')}"></script>
  </head>
  <body>
    <noscript>The console needs JavaScript.</noscript>
    <div class="frame">
      <div class="side">${brand(urlOf)}</div>
      <main class="view"></main>
    </div>
    <div class="alone"><div class="box">${brand(urlOf)}<span class="bone"></span></div></div>
  </body>
</html>
`;

/** Reads the files of the console, by name. */
export type ReadConsoleFiles = () => Promise<ReadonlyMap<string, Uint8Array>>;

/** Reads the console's files on the first call, and makes the pages of them. */
export type ServeConsole = () => Promise<ServedConsole>;

/** What is served of the console. */
export interface ServedConsole {
  /** The page for a view whose own script's name begins so; for `undefined`, the page with what all views share. */
  pageOf(script: string | undefined): Compressible;
  readonly files: ReadonlyMap<string, { readonly content: Compressible; readonly digest: string }>;
}

/** Serves the console from its files. A failure is not kept: the next call reads them again. */
export function servedConsole(read: ReadConsoleFiles, basePath: string): ServeConsole {
  let served: Promise<ServedConsole> | undefined;
  return () => {
    served ??= prepare(read, basePath).catch((error: unknown) => {
      served = undefined;
      throw error;
    });
    return served;
  };
}

async function prepare(read: ReadConsoleFiles, basePath: string): Promise<ServedConsole> {
  const contents = await read();
  const files = new Map(
    await Promise.all(
      [...contents].map(async ([name, content]) => {
        const type = TYPES[extname(name) as keyof typeof TYPES];
        const digest = createHash('sha256').update(content).digest('base64url').slice(0, 16);
        return [name, { content: await compressible(fixed(Buffer.from(content), type)), digest }] as const;
      }),
    ),
  );
  // With the content's digest, so that browsers keep a file for good and get the next one at once.
  const urlOf = (name: string) =>
    `${basePath}/console/files/${name}${HASHED.test(name) ? '' : `?v=${files.get(name)?.digest}`}`;
  const makePage = (scripts: readonly string[]) =>
    compressible(
      fixed(pageAt(basePath, urlOf, scripts), HTML, { 'Content-Security-Policy': CONTENT_SECURITY_POLICY }),
    );
  const shared = importsOf(contents, 'console.js');
  const common = await makePage(shared);
  const pages = new Map<string, Compressible>();
  for (const name of contents.keys()) {
    const [, script] = /^(.+)-[A-Z0-9]{8}\.js$/.exec(name) ?? [];
    if (script === undefined || shared.includes(name)) continue;
    const own = [name, ...importsOf(contents, name)].filter((one) => !shared.includes(one));
    pages.set(script, await makePage([...shared, ...own]));
  }
  return { pageOf: (script) => pages.get(script ?? '') ?? common, files };
}

/** The scripts that a script imports before it runs, and what those import. */
function importsOf(contents: ReadonlyMap<string, Uint8Array>, name: string): string[] {
  const known = new Set<string>();
  const look = (one: string) => {
    const text = Buffer.from(contents.get(one) ?? '').toString();
    for (const [, found = ''] of text.matchAll(/(?:^|[;}])import[^()"']*["']\.\/([\w.-]+)["']/g)) {
      if (known.has(found)) continue;
      known.add(found);
      look(found);
    }
  };
  look(name);
  return [...known];
}
