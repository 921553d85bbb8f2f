import type { Boots } from './boot.ts';
import { BARE, BARE_CACHED } from './contenders.ts';
import type { FeedFigures } from './feed.ts';
import type { Figures } from './measure.ts';
import type { Overload } from './overload.ts';
import type { SlowCommits } from './slow-commits.ts';
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
export function transferLine({ contender, name, seconds, serverSeconds, databaseSeconds }: Transfer): string {
  const [wall, server, database] = [seconds, serverSeconds, databaseSeconds].map((each) =>
    Number.isNaN(each) ? '–' : each.toFixed(1),
  );
  return `\n${contender}, ${name}: ${wall} s; of the processor: server ${server} s, database ${database} s`;
}

/** A line about the feed. */
export function feedLine(figures: FeedFigures): string {
  const { contender, name, writes, arrivals, expected, resumed, p50, p99, serverUs, databaseUs } = figures;
  return `\n${contender}, ${name}: ${Math.round(writes)} writes/s, ${arrivals} arrivals (of finished writes: ${expected}), ${resumed} streams resumed, p50 ${p50} ms, p99 ${p99} ms; a write: server ${rounded(serverUs)} µs, database ${rounded(databaseUs)} µs`;
}

/** A line about an overload. */
export function overloadLine({ contender, callers, goodput, refused, p50, p99 }: Overload): string {
  return `\n${contender}, ${callers} callers: ${Math.round(goodput)} answered and ${Math.round(refused)} refused a second; of those answered: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
}

/** A line about writes whose commits are slow. */
export function slowCommitsLine({ name, writes }: SlowCommits): string {
  return `\n${name}: ${Math.round(writes)} a second`;
}

/** A line about boots. */
export function bootLine({ contender, warm, alone, eight }: Boots): string {
  return `\n${contender}, first answer after a start: ${rounded(warm)} ms; on an empty database: ${rounded(alone)} ms; of eight at once: ${rounded(eight)} ms`;
}
