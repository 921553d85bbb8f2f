import { setTimeout as delay } from 'node:timers/promises';
import type { Contender } from './contenders.ts';
import { type Arrived, follow } from './follow.ts';
import { generator, type Load } from './load.ts';
import type { Rounds } from './measure.ts';
import type { Clock } from './usage.ts';

/** How many follow the feed. */
const FOLLOWERS = 500;

/** How the feed keeps up with writes. */
export interface FeedFigures extends Arrived {
  readonly contender: string;
  readonly name: string;
  /** Writes a second. */
  readonly writes: number;
  /** How many changes should have arrived at all followers together. */
  readonly expected: number;
  /** Microseconds of the processor for each write, of the service and of PostgreSQL, until the last of them has arrived. */
  readonly serverUs: number;
  readonly databaseUs: number;
}

/** The writes of somebody for some seconds. */
type Write = (seconds: number) => Promise<{ count: number; took: number }>;

/**
 * Follows the feed while somebody writes five times a second, and while everybody writes, after a warm-up in which everybody
 * writes. `shared` is the clock of the benchmark's database.
 */
export async function feedFigures(
  { name: contender, url, clock, databaseClock: own }: Contender,
  shared: Clock,
  load: Load,
  { warmUp, seconds }: Rounds,
): Promise<FeedFigures[]> {
  const databaseClock = own ?? shared;
  const followers = await follow(url, FOLLOWERS);
  const during = async (name: string, write: Write): Promise<FeedFigures> => {
    const before = [await clock(), await databaseClock()] as const;
    const { count, took } = await write(seconds);
    const arrived = await followers.report();
    return {
      contender,
      name: `${FOLLOWERS} followers, ${name}`,
      writes: count / took,
      expected: count * FOLLOWERS,
      ...arrived,
      // Now: until here, the service was still sending.
      serverUs: ((await clock()) - before[0]) / count,
      databaseUs: ((await databaseClock()) - before[1]) / count,
    };
  };
  try {
    await quickly(url, load)(warmUp);
    await followers.report();
    return [
      await during('a write now and then', slowly(url, load)),
      await during('everybody writes', quickly(url, load)),
    ];
  } finally {
    await followers.stop();
  }
}

function slowly(url: string, { method, path, people, body = '' }: Load): Write {
  return async (seconds) => {
    const count = 5 * seconds;
    const began = performance.now();
    for (let n = 0; n < count; n++) {
      const headers = { ...people[n % people.length], 'Content-Type': 'application/json' };
      const text = body.replace('%d', `${Date.now()}`);
      const { status } = await fetch(url + path, { method, headers, body: text });
      if (status !== 200) throw new Error(`A write was answered ${status}.`);
      await delay(200);
    }
    return { count, took: (performance.now() - began) / 1_000 };
  };
}

function quickly(url: string, load: Load): Write {
  return async (seconds) => {
    const { requests, refused, failed, seconds: took } = await generator.run(url, load, seconds);
    if (refused + failed > 0) throw new Error(`${refused} writes were refused, ${failed} failed.`);
    return { count: requests, took };
  };
}
