import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type Compressible, codedFor, compressible, fixed } from '../answer/fixed.ts';
import type { ReadConsoleFiles } from '../answer/served-console.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';
import { PAGE_FOLDER } from '../openapi/page-files.ts';

const pageAt = (basePath: string, hasConsole: boolean) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="base-path" content="${basePath}">
    <title>Rollcall API</title>
    <link rel="icon" type="image/svg+xml" href="${basePath}/docs/icon.svg">
    <link rel="stylesheet" href="${basePath}/docs/swagger-ui.css">
    <link rel="stylesheet" href="${basePath}/docs/docs.css">
  </head>
  <body>
    <header class="bar">
      <p><img src="${basePath}/docs/icon.svg" alt=""> Rollcall</p>
      <nav aria-label="Rollcall">${hasConsole ? `<a href="${basePath}/console">Console</a> ` : ''}<a href="${basePath}/openapi.json">OpenAPI document</a></nav>
    </header>
    <div id="swagger-ui"></div>
    <script src="${basePath}/docs/swagger-ui-bundle.js"></script>
    <script type="module" src="${basePath}/docs/docs.js"></script>
  </body>
</html>
`;

/** The page's own policy; the icons in Swagger UI's style sheet are data URLs. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join(';');

const JAVASCRIPT = 'text/javascript; charset=utf-8';
const CSS = 'text/css; charset=utf-8';

/** The types of the page's own files, which are bundled with those of the console. */
const OWN_FILES = { 'docs.css': CSS, 'docs.js': JAVASCRIPT, 'icon.svg': 'image/svg+xml' };

/** The types of all files that the page loads: its own, those of the package, and nothing else in it. */
const FILES = { ...OWN_FILES, 'swagger-ui-bundle.js': JAVASCRIPT, 'swagger-ui.css': CSS };
type FileName = keyof typeof FILES;

const fileName = z.enum(Object.keys(FILES) as [FileName]).meta({ examples: ['docs.js'] });

/** Where the page is, and the files that a build has for it. */
export interface DocsDeps {
  readonly basePath: string;
  readonly filesFolder: string;
  readonly readConsoleFiles: ReadConsoleFiles;
  /** The console, to which the page leads; `undefined` where it is off. */
  readonly console: unknown;
}

/** The OpenAPI document of these endpoints (and of its own), made on first request, and a page to read it in. */
export function docsEndpoints(others: readonly Endpoint[], deps: DocsDeps) {
  const { basePath } = deps;
  const files = new Map<FileName, Compressible>();
  const own: Endpoint[] = [
    endpoint({
      method: 'GET',
      path: '/openapi.json',
      access: 'public',
      summary: 'Get this document',
      description:
        'For generating clients, and for tools. It is made from the same records that the service routes requests by.',
      answer: {
        status: 200,
        description: 'OpenAPI 3.1.',
        schema: z
          .looseObject({ openapi: z.string(), info: z.looseObject({}), paths: z.looseObject({}) })
          .meta({
            id: 'OpenApiDocument',
            examples: [{ openapi: '3.1.0', info: { title: 'Rollcall' }, paths: {} }],
          }),
        headers: { ETag: "The document's entity tag." },
      },
      async handle({ acceptsGzip }) {
        document ??= describe().catch((error: unknown) => {
          document = undefined;
          throw error;
        });
        return codedFor(acceptsGzip, await document);
      },
      view: ({ content }) => content,
      headers: ({ headers }) => headers,
    }),
    endpoint({
      method: 'GET',
      path: '/docs',
      access: 'public',
      summary: 'Read this document in a browser',
      description: 'Swagger UI, served without the internet.',
      answer: {
        status: 200,
        description: 'A page that loads nothing from other hosts.',
        type: 'text/html',
        headers: { ETag: "The page's entity tag." },
      },
      handle: () => page,
      view: ({ content }) => content,
      headers: ({ headers }) => headers,
    }),
    endpoint({
      method: 'GET',
      path: '/docs/:file',
      access: 'public',
      summary: 'Get a file of that page',
      description: 'A script, a style sheet or an image of Swagger UI.',
      params: z.object({ file: fileName }),
      answer: {
        status: 200,
        description: 'The file.',
        type: ['text/javascript', 'text/css', 'image/svg+xml'],
        headers: { ETag: "The file's entity tag." },
      },
      handle: async ({ params: { file }, acceptsGzip }) => codedFor(acceptsGzip, await fileOf(file)),
      view: ({ content }) => content,
      headers: ({ headers }) => headers,
    }),
  ];

  /** Read on first request: a process whose page nobody opens need not hold two megabytes. */
  async function fileOf(name: FileName): Promise<Compressible> {
    const known = files.get(name);
    if (known) return known;
    if (!(name in OWN_FILES)) {
      const content = await fromPackage(name, deps.filesFolder);
      const file = await compressible(fixed(FILES[name] === CSS ? layered(content) : content, FILES[name]));
      files.set(name, file);
      return file;
    }
    reading ??= deps.readConsoleFiles().finally(() => {
      reading = undefined;
    });
    const contents = await reading;
    for (const [own, type] of Object.entries(OWN_FILES))
      files.set(own as FileName, await compressible(fixed(Buffer.from(contents.get(own) ?? ''), type)));
    return files.get(name) as Compressible;
  }

  /** Loaded on first request, with its library: most processes are never asked. */
  async function describe(): Promise<Compressible> {
    const { openApiDocument } = await import('../openapi/document.ts');
    const text = JSON.stringify(openApiDocument([...others, ...own], basePath));
    return compressible(fixed(text, 'application/json'));
  }

  let document: Promise<Compressible> | undefined;
  let reading: ReturnType<ReadConsoleFiles> | undefined;
  const page = fixed(pageAt(basePath, deps.console !== undefined), 'text/html; charset=utf-8', {
    'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  });
  return own;
}

/** The package's style sheet in a layer of its own, so that ours has the last word. */
const layered = (css: Buffer) => Buffer.from(`@layer library {${css}\n}\n`);

/** Reads a file of the package: from beside the program, where the build has put it, or from where it is installed. */
async function fromPackage(name: string, filesFolder: string): Promise<Buffer> {
  return readFile(join(filesFolder, PAGE_FOLDER, name)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return readFile(fileURLToPath(import.meta.resolve(`swagger-ui-dist/${name}`)));
  });
}
