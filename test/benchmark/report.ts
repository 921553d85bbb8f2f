import { BARE, BARE_CACHED } from './contenders.ts';
import type { FeedFigures } from './feed.ts';
import type { Figures } from './measure.ts';
import type { Transfer } from './transfer.ts';

/** The head of the table. */
export const HEADING = `| request | server | requests/s | ratio | ratio, cached | server, µs | database, µs | p50, ms | p99, ms | at rest, MB | under load, MB |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |`;

/** What the columns of ratios are. */
export const LEGEND = `ratio: of the requests a second to those of the bare server, which verifies each token as often as it comes.
Rollcall keeps verified tokens; "ratio, cached" is to a bare server that does so too.`;

/** A line of the table: the figures of a server among those of all in its case. */
export function lineOf(title: string, figures: Figures, all: readonly Figures[]): string {
  const { contender, rate, serverUs, databaseUs, p50, p99, restMb, loadMb } = figures;
  const ratios = [BARE, BARE_CACHED].map((name) => {
    const bare = all.find((each) => each.contender === name);
    return bare === undefined ? '' : (rate / bare.rate).toFixed(2);
  });
  const cells = [
    ...[Math.round(rate), ...ratios, rounded(serverUs), rounded(databaseUs)],
    ...[p50.toFixed(1), p99.toFixed(1), rounded(restMb), rounded(loadMb)],
  ];
  return `| \`${title}\` | ${contender} | ${cells.join(' | ')} |`;
}

const rounded = (value: number) => (Number.isNaN(value) ? '–' : Math.round(value));

/** A line about a transfer. */
export function transferLine({ name, seconds, serverSeconds, databaseSeconds }: Transfer): string {
  const [wall, server, database] = [seconds, serverSeconds, databaseSeconds].map((each) => each.toFixed(1));
  return `\n${name}: ${wall} s; of the processor: server ${server} s, database ${database} s`;
}

/** A line about the feed. */
export function feedLine({ name, writes, arrivals, p50, p99, serverUs, databaseUs }: FeedFigures): string {
  return `\n${name}: ${Math.round(writes)} writes/s, ${arrivals} arrivals, p50 ${p50} ms, p99 ${p99} ms; a write: server ${Math.round(serverUs)} µs, database ${Math.round(databaseUs)} µs`;
}
