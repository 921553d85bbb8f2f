/** A day, as `2026-01-31`. */
export type Day = string;

/** A part of time: from its beginning up to, but not including, its end. */
export interface Span {
  /** Its first day. */
  readonly date: Day;
  readonly begins: Date;
  readonly ends: Date;
}

const DAY_MS = 86_400_000;

/** The calendar of a time zone. */
export interface Calendar {
  /** The day of a moment. */
  dayOf(moment: Date): Day;
  /** The days from `first` to `last`. */
  days(first: Day, last: Day): Span[];
  /** The weeks that have any of these days, each from its Monday. */
  weeks(first: Day, last: Day): Span[];
}

/** The calendar of a time zone with this name, in any form that Intl knows; `undefined` where it knows none. */
export function calendarOf(timeZone: string): Calendar | undefined {
  const format = formatOf(timeZone);
  if (format === undefined) return undefined;
  const dayOf = (moment: Date) => format.format(moment);
  const span = (date: Day, days: number): Span => ({
    date,
    begins: beginningOf(date, dayOf),
    ends: beginningOf(addDays(date, days), dayOf),
  });
  const spans = (first: Day, last: Day, days: number) => {
    const found: Span[] = [];
    for (let date = first; date <= last; date = addDays(date, days)) found.push(span(date, days));
    return found;
  };
  return {
    dayOf,
    days: (first, last) => spans(first, last, 1),
    weeks: (first, last) => spans(mondayOf(first), last, 7),
  };
}

/** A day so many days later. */
export function addDays(date: Day, days: number): Day {
  return new Date(Date.parse(date) + days * DAY_MS).toISOString().slice(0, 10);
}

/** How many days there are from `first` to `last`, both counted. */
export function daysBetween(first: Day, last: Day): number {
  return (Date.parse(last) - Date.parse(first)) / DAY_MS + 1;
}

function mondayOf(date: Day): Day {
  return addDays(date, -((new Date(date).getUTCDay() + 6) % 7));
}

/** The format of a day as `2026-01-31`. */
function formatOf(timeZone: string): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/**
 * The first second of a day. It is searched for, because a day may begin at any hour: where the clocks are put forward at midnight, it
 * begins at one. Offsets are between -12 and +14 hours.
 */
function beginningOf(date: Day, dayOf: (moment: Date) => Day): Date {
  let [before, after] = [Date.parse(date) - 15 * 3_600_000, Date.parse(date) + 15 * 3_600_000];
  while (after - before > 1_000) {
    const middle = before + Math.floor((after - before) / 2_000) * 1_000;
    if (dayOf(new Date(middle)) < date) before = middle;
    else after = middle;
  }
  return new Date(after);
}
