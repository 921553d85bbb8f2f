import { z } from 'zod';

/** ISO 8601, and as PostgreSQL and spreadsheets write it: a blank for the `T`, an offset of hours alone, no time at all. */
const INSTANT = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?) ?(Z|[+-]\d\d(?::?\d\d)?))?$/i;

/** Nobody signed up before this. */
const EARLIEST = Date.parse('1970-01-01');

/** How much later than ours another machine's clock may be, in milliseconds. */
const MAX_SKEW_MS = 5 * 60_000;

/** The time at which an account was made elsewhere; to the millisecond, as ISO 8601 in UTC. */
export const creationTime = z.string().transform((text, context) => {
  const created = creationTimeOf(text);
  if (created !== undefined) return created;
  context.addIssue(
    instantOf(text.trim()) === undefined
      ? 'Must be a time with its offset, such as 2026-01-31T12:00:00Z, or a date.'
      : 'Must not be in the future, nor before 1970.',
  );
  return z.NEVER;
});

/** Such a time in the form of the history; `undefined` where the text is no time at which an account can have been made. */
export function creationTimeOf(text: string): string | undefined {
  const time = instantOf(text.trim());
  const isPossible = time !== undefined && time >= EARLIEST && time <= Date.now() + MAX_SKEW_MS;
  return isPossible ? new Date(time).toISOString() : undefined;
}

/** Milliseconds since 1970; `undefined` where the text is no time. */
function instantOf(text: string): number | undefined {
  const [, date, time = '00:00', offset = 'Z'] = INSTANT.exec(text) ?? [];
  if (date === undefined || !isDay(date)) return undefined;
  const [, sign, hours, minutes = '00'] = /^([+-])(\d\d):?(\d\d)?$/.exec(offset) ?? [];
  const value = Date.parse(`${date}T${time}${sign === undefined ? 'Z' : `${sign}${hours}:${minutes}`}`);
  return Number.isNaN(value) ? undefined : value;
}

/** Whether the calendar has this day: `Date` takes a day that a month does not have for one of the next month. */
function isDay(date: string): boolean {
  const time = Date.parse(`${date}T00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(date);
}
