import { signal } from '@preact/signals';
import { formatAge, formatDay, formatExact, formatMoment } from '../data/format.ts';

/** How often ages are counted again, in milliseconds. */
const COUNT_EVERY_MS = 30_000;

/** When that was last: a page may stay open for hours. */
const counted = signal(Date.now());
setInterval(() => {
  counted.value = Date.now();
}, COUNT_EVERY_MS);

const FORMATS = {
  moment: formatMoment,
  day: formatDay,
  // What has just happened is later than the last count.
  age: (at: string) => formatAge(at, Math.max(counted.value, Date.now())),
  exact: formatExact,
} as const;

/** A time in the reader's zone, with UTC on hover. */
export function Time({ at, as = 'moment' }: { at: string; as?: keyof typeof FORMATS }) {
  return (
    <time dateTime={at} title={`${at.replace('T', ' ').replace(/\.\d+Z$/, '')} UTC`}>
      {FORMATS[as](at)}
    </time>
  );
}
