import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { z } from 'zod';
import { ITEM_VIEW_NAMES, scriptOf, VIEW_NAMES } from '../../console/addresses.ts';
import { Refusal } from '../../domain/refusal.ts';
import { refusals } from '../../domain/refusals.ts';
import { id } from '../../services/accounts/fields.ts';
import { type Compressible, codedFor, compressible, type Fixed, fixed } from '../answer/fixed.ts';
import { endpoint } from '../endpoint.ts';

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
const HASHED = /-[A-Z0-9]{8}\.\w+$/;

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

/** The web console: one page at all of its addresses, and the page's files, which are read on the first request. */
export function consoleEndpoints(read: ReadConsoleFiles, basePath: string) {
  let served: Promise<Served> | undefined;
  const serve = () => {
    served ??= prepare(read, basePath).catch((error: unknown) => {
      served = undefined;
      throw error;
    });
    return served;
  };
  const page = {
    method: 'GET',
    access: 'public',
    isPage: true,
    answer: {
      status: 200,
      description: 'A page that loads nothing from other hosts.',
      type: 'text/html',
      headers: { ETag: "The page's entity tag." },
    },
    view: ({ content }: Fixed) => content,
    headers: ({ headers }: Fixed) => headers,
  } as const;
  return [
    endpoint({
      method: 'GET',
      path: '/',
      access: 'public',
      isPage: true,
      summary: 'Lead a browser to the console',
      description: 'For people who open the address of the service. Programs get 404.',
      answer: {
        status: 303,
        description: 'For whoever accepts HTML.',
        headers: { Location: 'The console.' },
      },
      refusals: [refusals.notFound],
      handle({ accept }) {
        if (!acceptsHtml(accept)) throw refusals.notFound();
      },
      headers: () => ({ Location: '/console', Vary: 'Accept' }),
    }),
    endpoint({
      ...page,
      path: '/console',
      summary: 'Open the console',
      description: 'The admin web page.',
      handle: async ({ acceptsGzip }) => codedFor(acceptsGzip, (await serve()).pageOf(scriptOf(undefined))),
    }),
    endpoint({
      ...page,
      isPage: false,
      path: '/console/files/:file',
      summary: 'Get a file of the console',
      description: 'A script, a style sheet or an image of the page.',
      params: z.object({ file: z.string().meta({ examples: ['console.js'] }) }),
      query: z.strictObject({
        v: z.string().max(64).optional().meta({
          description: "The content's digest: browsers keep the answer for good where it is the right one.",
        }),
      }),
      answer: {
        status: 200,
        description: 'The file.',
        type: ['text/javascript', 'text/css', 'image/svg+xml'],
        headers: { ETag: "The file's entity tag." },
      },
      async handle({ params: { file }, query: { v }, acceptsGzip }): Promise<Fixed> {
        const found = (await serve()).files.get(file);
        if (found === undefined) throw refusals.notFound();
        const content = codedFor(acceptsGzip, found.content);
        // After an upgrade, an old page may still ask for what is gone: it gets what there is, and keeps it for now only.
        return v === found.digest || HASHED.test(file) ? keptForGood(content) : content;
      },
    }),
    endpoint({
      ...page,
      path: '/console/:view',
      summary: 'Open a view of the console',
      description: 'The admin web page, at the address of one of its views.',
      params: z.object({ view: z.enum(VIEW_NAMES).meta({ examples: ['accounts'] }) }),
      handle: async ({ params: { view }, acceptsGzip }) =>
        codedFor(acceptsGzip, (await serve()).pageOf(scriptOf(view))),
    }),
    endpoint({
      ...page,
      path: '/console/:view/:id',
      summary: 'Open an item in the console',
      description: 'The admin web page, at the address of one account or the like.',
      params: z.object({ view: z.enum(ITEM_VIEW_NAMES).meta({ examples: ['accounts'] }), id }),
      handle: async ({ params: { view }, acceptsGzip }) =>
        codedFor(acceptsGzip, (await serve()).pageOf(scriptOf(view, true))),
    }),
  ];
}

/** Whether the caller asks for HTML by name, as browsers do: programs accept anything, and look for data. */
function acceptsHtml(accept: (types: readonly string[]) => string): boolean {
  try {
    return accept(['application/json', 'text/html']) === 'text/html';
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

/** What is served. */
interface Served {
  /** The page for a view whose own script's name begins so. */
  pageOf(script: string | undefined): Compressible;
  readonly files: ReadonlyMap<string, { readonly content: Compressible; readonly digest: string }>;
}

async function prepare(read: ReadConsoleFiles, basePath: string): Promise<Served> {
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

function keptForGood({ content, headers }: Fixed): Fixed {
  return { content, headers: { ...headers, 'Cache-Control': 'public, max-age=31536000, immutable' } };
}
