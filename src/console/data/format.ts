/** Made on first use: the browser takes some ten milliseconds for the first one, and the page need not wait for that. */
function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

const numbers = once(() => new Intl.NumberFormat());
const days = once(() => new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' }));
const moments = once(() => new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' }));
const times = once(() => new Intl.DateTimeFormat(undefined, { timeStyle: 'short' }));
const wholeDays = once(() => new Intl.DateTimeFormat(undefined, { dateStyle: 'full' }));
const ofThisYear = once(
  () =>
    new Intl.DateTimeFormat(undefined, {
      month: 'short',
      day: 'numeric',
      hour: 'numeric',
      minute: '2-digit',
    }),
);
const exact = once(() => new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' }));
const ages = once(() => new Intl.RelativeTimeFormat(undefined, { numeric: 'auto', style: 'short' }));

/** A number as the reader writes it. */
export function formatNumber(value: number): string {
  return numbers().format(value);
}

/** A day in the reader's time zone. */
export function formatDay(time: string): string {
  return days().format(new Date(time));
}

/** A day in the reader's time zone, with the day of the week. */
export function formatWholeDay(time: string): string {
  return wholeDays().format(new Date(time));
}

/** The time of day in the reader's time zone, to the minute. */
export function formatTime(time: string): string {
  return times().format(new Date(time));
}

/** A day of the calendar, `2026-01-31`, whatever the time zone. */
export function formatDate(date: string): string {
  // Noon is on this day in the reader's zone.
  return formatDay(`${date}T12:00:00`);
}

/** A time in the reader's time zone, to the minute. */
export function formatMoment(time: string): string {
  return moments().format(new Date(time));
}

/** A time in the reader's time zone, to the minute, without what goes without saying: today's date, and this year. */
export function formatShort(time: string, now = new Date()): string {
  const at = new Date(time);
  if (at.getFullYear() !== now.getFullYear()) return formatMoment(time);
  return at.toDateString() === now.toDateString() ? formatTime(time) : ofThisYear().format(at);
}

/** A time in the reader's time zone, to the second. */
export function formatExact(time: string): string {
  return exact().format(new Date(time));
}

/** A time as the browser's field for times has it: in the reader's zone, to the second. */
export function fieldOfTime(time: string): string {
  const at = new Date(time);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** The time in the browser's field for times; `undefined` where it is empty or no time. */
export function timeOfField(value: string): string | undefined {
  const at = new Date(value);
  return value === '' || Number.isNaN(at.getTime()) ? undefined : at.toISOString();
}

/** The time in a text, as the service has it; `undefined` for an invalid time or a year beyond 9999. */
export function timeIn(text: string): string | undefined {
  const at = new Date(text);
  const time = Number.isNaN(at.getTime()) ? '' : at.toISOString();
  return /^\d/.test(time) ? time : undefined;
}

const UNITS = [
  ['year', 31_557_600],
  ['month', 2_629_800],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const;

/** How long ago a time was: `3 hours ago`. */
export function formatAge(time: string, now = Date.now()): string {
  const seconds = (new Date(time).getTime() - now) / 1000;
  const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? (['second', 1] as const);
  return ages().format(Math.trunc(seconds / length), unit);
}
