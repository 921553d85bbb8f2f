import { z } from 'zod';

/** An identity of an account. */
export const identity = z
  .strictObject({
    id: z.int(),
    issuer: z.string().meta({ description: 'The `iss` of its tokens.' }),
    subject: z.string().meta({ description: 'The `sub` of its tokens.' }),
    email: z.string().meta({ description: 'Its email at the issuer, as it was taken over last.' }),
    firstSeenAt: z.iso.datetime(),
    lastSeenAt: z.iso.datetime().meta({ description: 'Updated at most once an hour.' }),
    cutAt: z.iso.datetime().nullable().meta({ description: "Since when it is no longer the account's." }),
    cutBy: z.string().nullable(),
  })
  .meta({
    id: 'Identity',
    examples: [
      {
        id: 1,
        issuer: 'https://id.example.com',
        subject: '248289761001',
        email: 'ada@example.com',
        firstSeenAt: '2026-01-31T12:00:00.000Z',
        lastSeenAt: '2026-02-28T12:00:00.000Z',
        cutAt: null,
        cutBy: null,
      },
    ],
  });
