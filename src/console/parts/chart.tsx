import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { formatDate, formatNumber } from '../data/format.ts';
import { chartTexts as texts } from '../texts/chart.ts';

/** A number for a day, or for the week that begins with it. */
export interface Bar {
  /** `2026-01-31`. */
  readonly date: string;
  /** `null` where it is not known. */
  readonly value: number | null;
  /** Whether there are more. */
  readonly isCapped?: boolean;
}

/** The height of a chart, and the width of a bar with the gap after it, in units of the drawing. */
const HEIGHT = 100;
const STEP = 10;

/**
 * Numbers by time, as bars: the one under the pointer is said below, and with the focus in the chart the arrow keys go through them. A
 * table has the same.
 */
export function Chart({
  title,
  unit,
  bars,
  isByWeek = false,
  hrefOf,
}: {
  title: string;
  unit: string;
  bars: readonly Bar[];
  isByWeek?: boolean;
  /** Where the day of a bar leads. */
  hrefOf?: (date: string) => string;
}) {
  const picked = useSignal<number | undefined>(undefined);
  const id = useId();
  const highest = Math.max(1, ...bars.map(({ value }) => value ?? 0));
  const sum = bars.reduce((total, { value }) => total + (value ?? 0), 0);
  const isCapped = bars.some((bar) => bar.isCapped);
  const last = bars.length - 1;
  const at = Math.min(picked.value ?? last, last);
  const said = ({ date, value, isCapped }: Bar) => {
    const day = isByWeek ? texts.weekOf(formatDate(date)) : formatDate(date);
    const count = value === null ? texts.unknown : countOf(value, isCapped);
    return texts.value(day, count, value === null ? '' : unit);
  };
  const keys: Readonly<Record<string, number>> = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    ArrowDown: at - 1,
    ArrowUp: at + 1,
    Home: 0,
    End: last,
  };
  const bar = bars[at];
  return (
    <figure class="chart box">
      <figcaption>
        <h2 id={id}>
          {title} <span class="soft">{isByWeek ? texts.byWeek : texts.byDay}</span>
        </h2>
        <span class="soft">{texts.sum(countOf(sum, isCapped))}</span>
      </figcaption>
      <div
        class="bars"
        role="slider"
        tabIndex={0}
        aria-labelledby={id}
        aria-readonly="true"
        aria-valuemin={0}
        aria-valuemax={last}
        aria-valuenow={at}
        aria-valuetext={bar && said(bar)}
        onKeyDown={(event) => {
          const next = keys[isMirrored(event.currentTarget) ? mirrored(event.key) : event.key];
          if (next === undefined) return;
          event.preventDefault();
          picked.value = Math.min(Math.max(next, 0), last);
        }}
        onPointerMove={({ currentTarget, clientX }) => {
          const { left, right, width } = currentTarget.getBoundingClientRect();
          const from = isMirrored(currentTarget) ? right - clientX : clientX - left;
          picked.value = Math.min(Math.max(Math.floor((from / width) * bars.length), 0), last);
        }}
        onPointerLeave={() => {
          picked.value = undefined;
        }}
        onBlur={() => {
          picked.value = undefined;
        }}
      >
        <svg viewBox={`0 0 ${bars.length * STEP} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          {bars.map(({ date, value }, index) => {
            // One that is not zero can be seen, however high the others are.
            const height = value ? Math.max((value / highest) * (HEIGHT - 4), 3) : 1;
            const isPicked = picked.value === index;
            return (
              <g key={date} class={isPicked ? 'picked' : ''}>
                {isPicked && <rect class="ground" x={index * STEP} y={0} width={STEP} height={HEIGHT} />}
                {value !== null && (
                  <rect
                    class={value === 0 ? 'zero' : 'bar'}
                    x={index * STEP + 1.5}
                    y={HEIGHT - height}
                    width={STEP - 3}
                    height={height}
                  />
                )}
              </g>
            );
          })}
        </svg>
      </div>
      <p class="axis soft">
        {picked.value !== undefined && bar ? (
          <strong>{said(bar)}</strong>
        ) : (
          <>
            <span>{bars[0] && formatDate(bars[0].date)}</span>
            <span>{sum === 0 ? texts.none : texts.highest(formatNumber(highest))}</span>
            <span>{bars[last] && formatDate(bars[last].date)}</span>
          </>
        )}
      </p>
      <details>
        <summary class="soft">{texts.asTable}</summary>
        <table>
          <caption class="unseen">{title}</caption>
          <thead>
            <tr>
              <th scope="col">{isByWeek ? texts.week : texts.day}</th>
              <th scope="col">{title}</th>
            </tr>
          </thead>
          <tbody>
            {bars.toReversed().map(({ date, value, isCapped }) => (
              <tr key={date}>
                <th scope="row">
                  {hrefOf ? <a href={hrefOf(date)}>{formatDate(date)}</a> : formatDate(date)}
                </th>
                <td>{value === null ? texts.unknown : countOf(value, isCapped)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}

function countOf(value: number, isCapped = false): string {
  return isCapped ? texts.more(formatNumber(value)) : formatNumber(value);
}

/** Whether time goes from right to left. */
function isMirrored(chart: Element): boolean {
  return chart.matches(':dir(rtl)');
}

/** The key that means the same in the other direction. */
function mirrored(key: string): string {
  return { ArrowLeft: 'ArrowRight', ArrowRight: 'ArrowLeft' }[key] ?? key;
}
