import { z } from 'zod';
import { refusals } from '../../domain/refusals.ts';
import { addDays, calendarOf, daysBetween } from '../../services/statistics/calendar.ts';
import { COUNT_CAP, statisticsOf, TOTAL_CAP } from '../../services/statistics/days.ts';
import { endpoint } from '../endpoint.ts';

/** The most days of a request, and how many it has without `since`. */
const MAX_DAYS = 92;
const DEFAULT_DAYS = 30;

/** A day that has others before and after it. */
const day = z.iso
  .date()
  .refine((date) => date >= '1900-01-01' && date < '9999-01-01', 'Must be a day of the years 1900 to 9998.');

const count = z.int().min(0);
const capped = z.boolean();

const statistics = z
  .strictObject({
    timeZone: z.string().meta({ examples: ['Europe/Berlin'] }),
    totals: z
      .strictObject({
        accounts: count,
        admins: count.meta({ description: 'Active ones.' }),
        suspended: count,
        capped: capped.meta({ description: `Whether there are more than ${TOTAL_CAP}.` }),
      })
      .meta({ examples: [{ accounts: 240, admins: 3, suspended: 4, capped: false }] }),
    days: z.array(
      z
        .strictObject({
          date: z.iso.date(),
          created: count.meta({ description: 'Accounts created on this day, of those that exist.' }),
          changes: count.meta({ description: 'Entries of the history.' }),
          refused: count.nullable().meta({
            description:
              'Emails whose last refused sign-in for a reason was on this day; null where that is not kept any more.',
          }),
          capped: capped.meta({
            description: `Whether any count has stopped at ${COUNT_CAP}.`,
          }),
        })
        .meta({
          id: 'DayCounts',
          examples: [{ date: '2026-02-01', created: 2, changes: 14, refused: 1, capped: false }],
        }),
    ),
    weeks: z.array(
      z
        .strictObject({
          date: z.iso.date().meta({ description: 'The Monday with which the week begins.' }),
          lastSeen: count.meta({ description: 'Accounts that were last seen in this week.' }),
          capped,
        })
        .meta({ id: 'WeekCounts', examples: [{ date: '2026-01-26', lastSeen: 61, capped: false }] }),
    ),
  })
  .meta({ id: 'Statistics' });

/** Counts for charts (admins). */
export function statisticsEndpoints() {
  return [
    endpoint({
      method: 'GET',
      path: '/v1/statistics/days',
      access: 'admin',
      scope: 'users:read',
      summary: 'Count by day',
      description: 'For charts. Days begin at midnight in `timeZone`.',
      readsReplica: true,
      query: z.strictObject({
        since: day
          .optional()
          .meta({ description: `The first day. Default: ${DEFAULT_DAYS} days that end with \`until\`.` }),
        until: day
          .optional()
          .meta({ description: `The last day, at most ${MAX_DAYS} days in all. Default: today.` }),
        timeZone: z
          .string()
          .max(100)
          .optional()
          .meta({
            default: 'UTC',
            description: 'Where days begin at midnight.',
            examples: ['Europe/Berlin', 'UTC'],
          }),
      }),
      answer: {
        status: 200,
        description:
          'Accounts created, changes and refused sign-ins by day, accounts by the week in which they were last seen, and totals. Service tokens also need `history:read`.',
        schema: statistics,
      },
      async handle({ reader, query: { since, until, timeZone = 'UTC' }, sees }) {
        if (!sees('history:read')) throw refusals.scopeMissing('history:read');
        const calendar = calendarOf(timeZone);
        if (calendar === undefined) throw invalid('timeZone', 'Must be a time zone, such as Europe/Berlin.');
        const last = until ?? calendar.dayOf(new Date());
        const first = since ?? addDays(last, 1 - DEFAULT_DAYS);
        if (first > last) throw invalid('since', 'Must not be after the last day.');
        if (daysBetween(first, last) > MAX_DAYS) throw invalid('since', `Must be at most ${MAX_DAYS} days.`);
        const counts = await reader.read((em) => statisticsOf(em, calendar, first, last));
        return { timeZone, ...counts };
      },
      view: ({ timeZone, totals, days, weeks }) => ({
        timeZone,
        totals,
        days: [...days],
        weeks: [...weeks],
      }),
    }),
  ];
}

function invalid(path: string, message: string) {
  return refusals.invalidQuery([{ path, message }]);
}
