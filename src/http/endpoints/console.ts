import { z } from 'zod';
import { ITEM_VIEW_NAMES, scriptOf, VIEW_NAMES } from '../../console/addresses.ts';
import { refusals } from '../../domain/refusals.ts';
import { id } from '../../services/accounts/fields.ts';
import { codedFor, type Fixed } from '../answer/fixed.ts';
import { HASHED, type ServeConsole } from '../answer/served-console.ts';
import { endpoint } from '../endpoint.ts';
import { prefersHtml } from '../request/accept.ts';

/** The web console: one page at all of its addresses, and the page's files. What is at no address of it, `unknownPage` answers. */
export function consoleEndpoints(serve: ServeConsole) {
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
        if (!prefersHtml(accept)) throw refusals.notFound();
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
      description:
        'The admin web page, at the address of one of its views. Where there is none, browsers get the page too, with 404; programs get `not_found`.',
      params: z.object({ view: z.enum(VIEW_NAMES).meta({ examples: ['accounts'] }) }),
      handle: async ({ params: { view }, acceptsGzip }) =>
        codedFor(acceptsGzip, (await serve()).pageOf(scriptOf(view))),
    }),
    endpoint({
      ...page,
      path: '/console/:view/:id',
      summary: 'Open an item in the console',
      description:
        'The admin web page, at the address of one account or the like. Where there is none, browsers get the page too, with 404; programs get `not_found`.',
      params: z.object({ view: z.enum(ITEM_VIEW_NAMES).meta({ examples: ['accounts'] }), id }),
      handle: async ({ params: { view }, acceptsGzip }) =>
        codedFor(acceptsGzip, (await serve()).pageOf(scriptOf(view, true))),
    }),
  ];
}

function keptForGood({ content, headers }: Fixed): Fixed {
  return { content, headers: { ...headers, 'Cache-Control': 'public, max-age=31536000, immutable' } };
}
