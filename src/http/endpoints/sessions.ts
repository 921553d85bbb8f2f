import { z } from 'zod';
import { refusals } from '../../domain/refusals.ts';
import type { CursorCodec } from '../../security/cursor.ts';
import { listSessions, sessionById, sessionsOf } from '../../services/access/console-sessions.ts';
import { id } from '../../services/accounts/fields.ts';
import { linkToNext, readPage } from '../answer/page.ts';
import { changeUnversioned, endpoint } from '../endpoint.ts';
import { LINK, pageQuery, pageSchema } from '../schemas/page.ts';
import { accountSession, listedSession } from '../schemas/session.ts';

/** The sessions of the console: mine, and those of everybody (admins). */
export function sessionEndpoints({ cursors }: { readonly cursors: CursorCodec }) {
  return [
    endpoint({
      method: 'GET',
      path: '/v1/me/sessions',
      access: 'account',
      summary: 'List my sessions',
      description: 'Sessions of the console. Sign-ins of the app itself are kept by whoever issues them.',
      answer: {
        status: 200,
        description: 'The sessions of the console in which I am signed in, newest first.',
        schema: z.strictObject({ items: z.array(listedSession) }).meta({ id: 'SessionList' }),
      },
      handle: async ({ unit: { em }, actor, session }) => ({
        items: await sessionsOf(em, actor.id),
        current: session?.id,
      }),
      view: ({ items, current }) => ({
        items: items.map((item) => ({ ...item, isCurrent: item.id === current })),
      }),
    }),
    changeUnversioned({
      method: 'DELETE',
      path: '/v1/me/sessions/:id',
      access: 'account',
      summary: 'End one of my sessions',
      description: 'For a browser that was left behind.',
      params: z.object({ id }),
      answer: { status: 204, description: 'It is signed out from the next request on.' },
      changes: ({ unit, actor, params }) => sessionById(unit.em, params.id, actor.id),
      handle({ unit, entity }) {
        unit.em.remove(entity);
      },
    }),
    endpoint({
      method: 'GET',
      path: '/v1/sessions',
      access: 'admin',
      summary: 'List all sessions',
      description: 'Sessions of the console, of all accounts.',
      query: z.strictObject(pageQuery),
      answer: {
        status: 200,
        description: 'Who is signed in to the console: every session that may be used, newest first.',
        schema: pageSchema(accountSession).meta({ id: 'AccountSessionPage' }),
        headers: LINK,
      },
      refusals: [refusals.badCursor],
      async handle({ unit: { em }, query, session }) {
        const page = await readPage(cursors, ['console sessions'], query, (request) =>
          listSessions(em, request),
        );
        return { query, page, current: session?.id };
      },
      view: ({ page: { items, nextCursor }, current }) => ({
        items: items.map((item) => ({ ...item, isCurrent: item.id === current })),
        nextCursor,
      }),
      headers: ({ query, page }) => linkToNext('/v1/sessions', query, page),
    }),
    changeUnversioned({
      method: 'DELETE',
      path: '/v1/sessions/:id',
      access: 'admin',
      summary: 'End a session',
      description: 'Of any account.',
      params: z.object({ id }),
      answer: { status: 204, description: 'Its browser is signed out from the next request on.' },
      changes: ({ unit, params }) => sessionById(unit.em, params.id),
      handle({ unit, entity }) {
        unit.em.remove(entity);
      },
    }),
  ];
}
