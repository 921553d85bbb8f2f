import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type Fixed, fixed } from '../answer/fixed.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';
import { PAGE_FOLDER } from '../openapi/page-files.ts';

const pageAt = (basePath: string) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Rollcall API</title>
    <link rel="icon" type="image/png" href="${basePath}/docs/favicon-32x32.png">
    <link rel="stylesheet" href="${basePath}/docs/swagger-ui.css">
    <link rel="stylesheet" href="${basePath}/docs/index.css">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="${basePath}/docs/swagger-ui-bundle.js"></script>
    <script src="${basePath}/docs/initializer.js"></script>
  </body>
</html>
`;

/** `validatorUrl: null`: otherwise Swagger UI sends the document to a server on the internet. */
const initializerAt = (basePath: string) => `SwaggerUIBundle({
  url: '${basePath}/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  validatorUrl: null,
});
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

/** The files that the page loads: ours, or from the package, and nothing else in it. By name, the type and the content. */
const FILES = {
  'favicon-32x32.png': { type: 'image/png', read: fromPackage },
  'index.css': { type: CSS, read: fromPackage },
  'initializer.js': {
    type: JAVASCRIPT,
    read: async (_name: string, { basePath }: DocsDeps) => Buffer.from(initializerAt(basePath)),
  },
  'swagger-ui-bundle.js': { type: JAVASCRIPT, read: fromPackage },
  'swagger-ui.css': { type: CSS, read: fromPackage },
};
type FileName = keyof typeof FILES;

const fileName = z.enum(Object.keys(FILES) as [FileName]).meta({ examples: ['initializer.js'] });

/** Where the page is, and the files that a build has for it. */
export interface DocsDeps {
  readonly basePath: string;
  readonly filesFolder: string;
}

/** The OpenAPI document of these endpoints (and of its own), made on first request, and a page to read it in. */
export function docsEndpoints(others: readonly Endpoint[], { basePath, filesFolder }: DocsDeps) {
  const files = new Map<FileName, Fixed>();
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
          .meta({ id: 'OpenApiDocument' }),
        headers: { ETag: "The document's entity tag." },
      },
      handle: () => {
        document ??= describe().catch((error: unknown) => {
          document = undefined;
          throw error;
        });
        return document;
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
        type: ['text/javascript', 'text/css', 'image/png'],
        headers: { ETag: "The file's entity tag." },
      },
      handle: ({ params: { file } }) => fileOf(file),
      view: ({ content }) => content,
      headers: ({ headers }) => headers,
    }),
  ];

  /** Read on first request: a process whose page nobody opens need not hold two megabytes. */
  async function fileOf(name: FileName): Promise<Fixed> {
    const { type, read } = FILES[name];
    const file = files.get(name) ?? fixed(await read(name, { basePath, filesFolder }), type);
    files.set(name, file);
    return file;
  }

  /** Loaded on first request, with its library: most processes are never asked. */
  async function describe(): Promise<Fixed> {
    const { openApiDocument } = await import('../openapi/document.ts');
    return fixed(JSON.stringify(openApiDocument([...others, ...own], basePath)), 'application/json');
  }

  let document: Promise<Fixed> | undefined;
  const page = fixed(pageAt(basePath), 'text/html; charset=utf-8', {
    'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  });
  return own;
}

/** Reads a file of the package: from beside the program, where the build has put it, or from where it is installed. */
async function fromPackage(name: string, { filesFolder }: DocsDeps): Promise<Buffer> {
  return readFile(join(filesFolder, PAGE_FOLDER, name)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return readFile(fileURLToPath(import.meta.resolve(`swagger-ui-dist/${name}`)));
  });
}
