import { z } from 'zod';
import { DOORS } from '../../domain/console-session.ts';
import { openList } from './open-list.ts';

/** The example of a session. */
const SESSION_EXAMPLE = {
  id: 1,
  door: 'code',
  address: '203.0.113.7',
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  createdAt: '2026-01-31T12:00:00.000Z',
  lastUsedAt: '2026-01-31T12:30:00.000Z',
  expiresAt: '2026-01-31T20:00:00.000Z',
};

/** A session of the console. */
export const consoleSession = z
  .strictObject({
    id: z.int(),
    door: openList(DOORS).meta({
      id: 'Door',
      description:
        'How it was opened: by an Auth.js session, a bearer token, the code of a link, or OpenID Connect.',
    }),
    address: z.string().nullable().meta({ description: 'The address that it was opened from.' }),
    userAgent: z.string().nullable().meta({ description: 'The browser that it was opened with.' }),
    createdAt: z.iso.datetime(),
    lastUsedAt: z.iso.datetime().meta({ description: 'Updated at most once a minute.' }),
    expiresAt: z.iso.datetime().meta({ description: 'When it ends, however much it is used.' }),
  })
  .meta({ id: 'ConsoleSession', examples: [SESSION_EXAMPLE] });

/** A session in a list: it says whether it is that of the caller. */
export const listedSession = consoleSession
  .extend({ isCurrent: z.boolean().meta({ description: 'Whether this request was sent with it.' }) })
  .meta({ id: 'ListedSession', examples: [{ ...SESSION_EXAMPLE, isCurrent: true }] });

/** A session in the list of all. */
export const accountSession = listedSession
  .extend({ account: z.strictObject({ id: z.int(), email: z.string(), name: z.string().nullable() }) })
  .meta({
    id: 'AccountSession',
    examples: [
      { ...SESSION_EXAMPLE, isCurrent: false, account: { id: 1, email: 'ada@example.com', name: 'Ada' } },
    ],
  });
