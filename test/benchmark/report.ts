import type { FeedFigures } from './feed.ts';
import type { Figures } from './measure.ts';
import type { Transfer } from './transfer.ts';

/** The head of the table. */
export const HEADING = `| request | server | requests/s | ratio | server, µs | database, µs | p50, ms | p99, ms | at rest, MB | under load, MB |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |`;

/** A line of the table: the figures of a server in a case, with the ratio of its requests a second to the bare server's. */
export function lineOf(title: string, figures: Figures, bare: Figures | undefined): string {
  const { contender, rate, serverUs, databaseUs, p50, p99, restMb, loadMb } = figures;
  const ratio = bare === undefined ? '' : (rate / bare.rate).toFixed(2);
  const cells = [
    ...[Math.round(rate), ratio, rounded(serverUs), rounded(databaseUs)],
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
