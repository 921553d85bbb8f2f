import { z } from 'zod';
import { ACCESS_POLICIES, type AccessPolicy } from '../../domain/access.ts';
import { refusals } from '../../domain/refusals.ts';
import type { CursorCodec } from '../../security/cursor.ts';
import {
  countRefused,
  listRefused,
  type RefusedSignIn,
  type RefusedSignInCounter,
} from '../../services/access/refused-sign-ins.ts';
import { linkToNext, readPage } from '../answer/page.ts';
import { endpoint } from '../endpoint.ts';
import { openList } from '../schemas/open-list.ts';
import { LINK, pageQuery, pageSchema } from '../schemas/page.ts';

const refused = z
  .strictObject({
    email: z.string(),
    reason: openList([
      'account_required',
      'account_suspended',
      'email_changed',
      'email_unverified',
      'identity_mismatch',
    ]),
    count: z.int(),
    firstAt: z.iso.datetime(),
    lastAt: z.iso.datetime(),
  })
  .meta({
    id: 'RefusedSignIn',
    examples: [
      {
        email: 'mallory@example.com',
        reason: 'account_required',
        count: 3,
        firstAt: '2026-01-31T12:00:00.000Z',
        lastAt: '2026-02-01T08:30:00.000Z',
      },
    ],
  });

/** The access policy and the refused sign-ins (admins). */
export function accessEndpoints(deps: {
  readonly accessPolicy: AccessPolicy;
  readonly refusedSignIns: RefusedSignInCounter;
  readonly cursors: CursorCodec;
}) {
  const { accessPolicy, refusedSignIns, cursors } = deps;
  return [
    endpoint({
      method: 'GET',
      path: '/v1/access',
      access: 'admin',
      summary: 'Get the access policy',
      description: 'Who may come in: the settings in force.',
      answer: {
        status: 200,
        description: 'The policy in force, and the number of refused sign-ins in the last 30 days.',
        schema: z
          .strictObject({
            policy: openList(ACCESS_POLICIES),
            domains: z.array(z.string()),
            refused: z.strictObject({ people: z.int(), attempts: z.int() }),
          })
          .meta({
            id: 'AccessPolicy',
            examples: [{ policy: 'domains', domains: ['example.com'], refused: { people: 1, attempts: 3 } }],
          }),
      },
      async handle({ unit: { em } }) {
        await refusedSignIns.flush(em);
        return countRefused(em);
      },
      view: (refused) => ({ policy: accessPolicy.policy, domains: accessPolicy.domains, refused }),
    }),
    endpoint({
      method: 'GET',
      path: '/v1/access/refused',
      access: 'admin',
      summary: 'List refused sign-ins',
      description: 'Who has tried to come in and could not, and why: to invite them, or to see an attack.',
      query: z.strictObject(pageQuery),
      answer: {
        status: 200,
        description:
          'Refused sign-ins of the last 30 days, latest first, whose email still has no active account, and those of `identity_mismatch`. Repeated refusals at other processes are counted later, by an hour at most.',
        schema: pageSchema(refused).meta({ id: 'RefusedSignInPage' }),
        headers: LINK,
      },
      refusals: [refusals.badCursor],
      async handle({ unit: { em }, query }) {
        await refusedSignIns.flush(em);
        const page = await readPage(cursors, ['refused sign-ins'], query, (request) =>
          listRefused(em, request),
        );
        return { query, page };
      },
      view: ({ page: { items, nextCursor } }) => ({ items: items.map(refusedView), nextCursor }),
      headers: ({ query, page }) => linkToNext('/v1/access/refused', query, page),
    }),
  ];
}

function refusedView({ email, reason, count, firstAt, lastAt }: RefusedSignIn) {
  return { email, reason, count, firstAt: firstAt.toISOString(), lastAt: lastAt.toISOString() };
}
