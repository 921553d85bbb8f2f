import type { EntityManager } from '@mikro-orm/postgresql';

/** A time that the driver has read: it leaves times as text, to the microsecond. */
export function dateOf(em: EntityManager, text: string): Date {
  return em.getPlatform().parseDate(text);
}

/** A time as the sessions, which are in UTC, print it in our era. */
const PRINTED = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?\+00$/;

/** A time that the driver has read, as JSON has times: in ISO 8601, UTC, with milliseconds. */
export function isoTimeOf(em: EntityManager, text: string): string {
  if (!PRINTED.test(text)) return dateOf(em, text).toISOString();
  // By their places, since a list has hundreds of them: what an expression captures has to be cleaned up.
  const fraction = text.slice(20, -'+00'.length).slice(0, 3).padEnd(3, '0');
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction}Z`;
}

/** A row as the driver reads it: with `Times` as text. */
export type RowOf<Entity, Times extends keyof Entity> = Omit<Entity, Times> & {
  readonly [Time in Times]: string;
};

/** A row with its columns of time as dates. */
export function withDates<Times extends string, Row extends Readonly<Record<Times, string>>>(
  em: EntityManager,
  row: Row,
  ...times: readonly Times[]
): Omit<Row, Times> & { [Time in Times]: Date } {
  const dates = times.map((time) => [time, dateOf(em, row[time])]);
  return { ...row, ...Object.fromEntries(dates) };
}
