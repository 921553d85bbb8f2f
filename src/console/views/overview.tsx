import { useEffect, useRef } from 'preact/hooks';
import type { Answered } from '../../client/index.ts';
import { call } from '../data/api.ts';
import { formatNumber } from '../data/format.ts';
import { onChanges } from '../data/live.ts';
import { type Loaded, useLoaded } from '../data/load.ts';
import { viewUrl } from '../data/place.ts';
import { Chart } from '../parts/chart.tsx';
import { Bones, Failed } from '../parts/states.tsx';
import { overviewTexts as texts } from '../texts/overview.ts';
import { Health } from './overview/health.tsx';

type Statistics = Answered<'GET /v1/statistics/days'>;

/** How long changes are gathered before everything is counted again, in milliseconds. */
const RECOUNT_MS = 3_000;

/** How many accounts there are, what happened lately, and whether the service is well. */
export function Overview() {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const statistics = useLoaded('', (signal) =>
    call('GET /v1/statistics/days', { query: { timeZone }, signal }),
  );
  const access = useLoaded('', (signal) => call('GET /v1/access', { signal }));
  useRecount(statistics, access);
  const { data, error } = statistics;
  return (
    <>
      <header>
        <h1>{texts.title}</h1>
      </header>
      {data === undefined && error !== undefined ? (
        <Failed error={error} retry={statistics.reload} />
      ) : (
        <>
          <Totals totals={data?.totals} refused={access.data?.refused.people} />
          <div class="charts">
            <Charts statistics={data} />
          </div>
        </>
      )}
      <Health />
    </>
  );
}

/** Counts again some time after a change. */
function useRecount(...counts: readonly Pick<Loaded<unknown>, 'refresh'>[]): void {
  const latest = useRef(counts);
  latest.current = counts;
  useEffect(
    () =>
      onChanges(() => {
        for (const { refresh } of latest.current) refresh();
      }, RECOUNT_MS),
    [],
  );
}

function Totals({
  totals,
  refused,
}: {
  totals: Statistics['totals'] | undefined;
  refused: number | undefined;
}) {
  const tiles = [
    { name: 'accounts', value: totals?.accounts, path: '/accounts' },
    { name: 'admins', value: totals?.admins, path: '/accounts?role=admin&status=active' },
    { name: 'suspended', value: totals?.suspended, path: '/accounts?status=suspended' },
    { name: 'refused', value: refused, path: '/turned-away' },
  ] as const;
  return (
    <ul class="tiles">
      {tiles.map(({ name, value, path }) => (
        <li key={name}>
          <a class="box tile" href={viewUrl(path)} data-testid={name}>
            <span class="soft">{texts.totals[name]}</span>
            <strong>
              {value === undefined ? (
                <span class="bone" />
              ) : name === 'accounts' && totals?.capped ? (
                texts.more(formatNumber(value))
              ) : (
                formatNumber(value)
              )}
            </strong>
          </a>
        </li>
      ))}
    </ul>
  );
}

function Charts({ statistics }: { statistics: Statistics | undefined }) {
  if (statistics === undefined) {
    return ['created', 'changes', 'refused', 'lastSeen'].map((name) => (
      <div key={name} class="chart box">
        <Bones lines={3} />
      </div>
    )) as never;
  }
  const { days, weeks } = statistics;
  const bars = (name: 'created' | 'changes' | 'refused') =>
    days.map(({ date, [name]: value, capped }) => ({ date, value, isCapped: capped && value !== 0 }));
  return (
    <>
      <Chart {...texts.charts.created} bars={bars('created')} />
      <Chart
        {...texts.charts.changes}
        bars={bars('changes')}
        hrefOf={(date) => viewUrl(`/activity?from=${date}&to=${date}`)}
      />
      <Chart {...texts.charts.refused} bars={bars('refused')} />
      <Chart
        {...texts.charts.lastSeen}
        isByWeek
        bars={weeks.map(({ date, lastSeen, capped }) => ({ date, value: lastSeen, isCapped: capped }))}
      />
    </>
  );
}
