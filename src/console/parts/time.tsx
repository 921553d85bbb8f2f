import { formatAge, formatDay, formatExact, formatMoment } from '../data/format.ts';

/** A time in the reader's zone, with UTC on hover. */
export function Time({ at, as = 'moment' }: { at: string; as?: 'moment' | 'day' | 'age' | 'exact' }) {
  const format = { moment: formatMoment, day: formatDay, age: formatAge, exact: formatExact }[as];
  return (
    <time dateTime={at} title={`${at.replace('T', ' ').replace(/\.\d+Z$/, '')} UTC`}>
      {format(at)}
    </time>
  );
}
