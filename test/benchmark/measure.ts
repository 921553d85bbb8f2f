import type { Case } from './cases.ts';
import type { Contender } from './contenders.ts';
import { CONNECTIONS, generator, type Load, type Seen } from './load.ts';
import type { Clock } from './usage.ts';

/** How long the rounds are, in seconds, and how many there are after the warm-up. */
export interface Rounds {
  readonly warmUp: number;
  readonly seconds: number;
  readonly count: number;
}

/** What a server has done in a case, as medians of its rounds. */
export interface Figures {
  readonly contender: string;
  /** Requests a second. */
  readonly rate: number;
  /** Microseconds of the processor for each request, of the server and of the database. NaN: it cannot be told. */
  readonly serverUs: number;
  readonly databaseUs: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Megabytes before the case, and under its load. */
  readonly restMb: number;
  readonly loadMb: number;
}

/**
 * Measures the contenders in turns, so that other load on the machine affects all of them, each round in another order: what
 * PostgreSQL does later, such as a checkpoint or a vacuum, counts for whoever is measured then. Throws where a server refuses or
 * fails requests: its speed would mean nothing.
 */
export async function measure(
  one: Case,
  contenders: readonly Contender[],
  databaseClock: Clock,
  { accounts, rounds }: { accounts: number; rounds: Rounds },
): Promise<Figures[]> {
  const seen = new Map<Contender, RoundFigures[]>(contenders.map((contender) => [contender, []]));
  const rest = new Map<Contender, number>();
  for (const contender of contenders) rest.set(contender, await contender.resident());
  for (let round = 0; round <= rounds.count; round++) {
    const isWarmUp = round === 0;
    const seconds = isWarmUp ? rounds.warmUp : rounds.seconds;
    for (const contender of inOrderOf(round, contenders)) {
      const load = await one.load({ seconds, accounts, url: contender.url });
      const clocks = [contender.clock, contender.databaseClock ?? databaseClock] as const;
      const before = await times(...clocks);
      const result = await generator.run(contender.url, load, seconds);
      const after = await times(...clocks);
      check(contender, one, load, result);
      if (isWarmUp) continue;
      seen.get(contender)?.push({
        rate: result.requests / result.seconds,
        serverUs: (after.server - before.server) / result.requests,
        databaseUs: (after.database - before.database) / result.requests,
        p50: result.p50,
        p99: result.p99,
        loadMb: await contender.resident(),
      });
    }
  }
  return contenders.map((contender) => {
    const all = seen.get(contender) ?? [];
    const of = (field: keyof RoundFigures) => median(all.map((each) => each[field]));
    return {
      contender: contender.name,
      rate: of('rate'),
      serverUs: of('serverUs'),
      databaseUs: of('databaseUs'),
      p50: of('p50'),
      p99: of('p99'),
      restMb: rest.get(contender) ?? 0,
      loadMb: of('loadMb'),
    };
  });
}

type RoundFigures = Omit<Figures, 'contender' | 'restMb'>;

async function times(server: Clock, database: Clock) {
  return { server: await server(), database: await database() };
}

/** The contenders in the order of a round: in six rounds, three of them come in each order once. */
function inOrderOf(round: number, contenders: readonly Contender[]): Contender[] {
  const first = Math.floor(round / 2) % contenders.length;
  const order = [...contenders.slice(first), ...contenders.slice(0, first)];
  return round % 2 === 0 ? order : order.reverse();
}

function check({ name }: Contender, { title }: Case, load: Load, { requests, refused, failed }: Seen): void {
  if (requests === 0 || refused + failed > 0)
    throw new Error(`${name}, ${title}: ${requests} requests, ${refused} refused, ${failed} failed`);
  if (load.isOnce && requests + CONNECTIONS > load.people.length)
    throw new Error(`${name}, ${title}: ${load.people.length} tokens were too few for ${requests} requests`);
}

/** The median of some values: of an even number, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2;
}
