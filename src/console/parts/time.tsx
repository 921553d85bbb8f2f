import { signal } from '@preact/signals';
import { formatAge, formatDay, formatExact, formatMoment, formatShort, formatTime } from '../data/format.ts';

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
  /** Below the day. */
  time: formatTime,
  short: (at: string) => formatShort(at, new Date(counted.value)),
} as const;

type Format = keyof typeof FORMATS;

/** What depends on when it is read, and how paper says it. */
const ON_PAPER: Partial<Record<Format, Format>> = { age: 'moment', short: 'moment' };

/** A time in the reader's zone, with all of it and UTC on hover. */
export function Time({
  at,
  as = 'moment',
  onPaper = ON_PAPER[as],
}: {
  at: string;
  as?: Format;
  onPaper?: Format | undefined;
}) {
  const said = FORMATS[as](at);
  const utc = at.replace('T', ' ').replace(/\.\d+Z$/, '');
  return (
    <time dateTime={at} title={`${formatExact(at)}\n${utc} UTC`}>
      {onPaper === undefined ? (
        said
      ) : (
        <>
          <span class="not-printed">{said}</span>
          <span class="only-printed">{FORMATS[onPaper](at)}</span>
        </>
      )}
    </time>
  );
}
