import { z } from 'zod';
import { ACCESS_POLICIES, type AccessPolicy } from '../../domain/access.ts';
import type { CursorCodec } from '../../security/cursor.ts';
import {
  countRefused,
  listRefused,
  type RefusalCounter,
  type RefusedSignIn,
} from '../../services/access/refused-sign-ins.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';
import { LINK, linkToNext, pageOf, pageQuery } from '../schemas/page.ts';

const refused = z.strictObject({
  email: z.string(),
  reason: z.enum(['account_required', 'account_suspended', 'email_unverified']),
  count: z.int(),
  firstAt: z.iso.datetime(),
  lastAt: z.iso.datetime(),
});

/** Who may come in, and who has been turned away, for admins. */
export function accessEndpoints(deps: {
  readonly accessPolicy: AccessPolicy;
  readonly refusals: RefusalCounter;
  readonly cursors: CursorCodec;
}): Endpoint[] {
  const { accessPolicy, refusals, cursors } = deps;
  return [
    endpoint({
      method: 'GET',
      path: '/v1/access',
      access: 'admin',
      summary: 'Who gets an account',
      answer: {
        status: 200,
        description: 'The policy in force, and how many sign-ins it has turned away in the last 30 days.',
        schema: z.strictObject({
          policy: z.enum(ACCESS_POLICIES),
          domains: z.array(z.string()),
          refused: z.strictObject({ people: z.int(), attempts: z.int() }),
        }),
      },
      async handle({ em }) {
        await refusals.settle(em);
        return countRefused(em);
      },
      view: (refused) => ({ ...accessPolicy, refused }),
    }),
    endpoint({
      method: 'GET',
      path: '/v1/access/refused',
      access: 'admin',
      summary: 'Sign-ins that were turned away',
      query: z.strictObject(pageQuery),
      answer: {
        status: 200,
        description:
          'Those of the last 30 days who still have no account that may be used, the latest first. Of those who come again and again, other processes may tell the count some time later.',
        schema: pageOf(refused),
        headers: LINK,
      },
      refusals: ['bad_cursor'],
      async handle({ em, query }) {
        await refusals.settle(em);
        return { query, page: await listRefused(em, cursors, query) };
      },
      view: ({ page: { items, next } }) => ({ items: items.map(refusedView), nextCursor: next }),
      headers: ({ query, page }) => linkToNext('/v1/access/refused', query, page),
    }),
  ];
}

function refusedView({ email, reason, count, firstAt, lastAt }: RefusedSignIn) {
  return { email, reason, count, firstAt: firstAt.toISOString(), lastAt: lastAt.toISOString() };
}
