import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Contender } from './contenders.ts';
import { generator, type Load } from './load.ts';
import { admins } from './people.ts';
import type { Clock } from './usage.ts';

/** How many follow the feed. */
const FOLLOWERS = 500;

/** How the feed keeps up with writes. */
export interface FeedFigures {
  readonly name: string;
  /** Writes a second, and how many changes arrived at all followers together. */
  readonly writes: number;
  readonly arrivals: number;
  /** Milliseconds from the time of a change to its arrival at a follower. */
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of the processor for each write, of the service and of PostgreSQL. */
  readonly serverUs: number;
  readonly databaseUs: number;
}

/** Follows the feed while somebody writes five times a second, and while everybody writes. */
export async function feedFigures(
  contender: Contender,
  databaseClock: Clock,
  load: Load,
  seconds: number,
): Promise<FeedFigures[]> {
  const slowly = async () => {
    const count = 5 * seconds;
    const began = performance.now();
    for (let n = 0; n < count; n++) {
      const { method, path, people, body = '' } = load;
      const headers = { ...people[n % people.length], 'Content-Type': 'application/json' };
      const text = body.replace('%d', `${Date.now()}`);
      const { status } = await fetch(contender.url + path, { method, headers, body: text });
      if (status !== 200) throw new Error(`A write was answered ${status}.`);
      await delay(200);
    }
    return { count, took: (performance.now() - began) / 1_000 };
  };
  const quickly = async () => {
    const { requests, refused, failed, seconds: took } = await generator.run(contender.url, load, seconds);
    if (refused + failed > 0) throw new Error(`${refused} writes were refused, ${failed} failed.`);
    return { count: requests, took };
  };
  return [
    await measure(`${FOLLOWERS} followers, a write now and then`, contender, databaseClock, slowly),
    await measure(`${FOLLOWERS} followers, everybody writes`, contender, databaseClock, quickly),
  ];
}

async function measure(
  name: string,
  { url, clock }: Contender,
  databaseClock: Clock,
  write: () => Promise<{ count: number; took: number }>,
): Promise<FeedFigures> {
  const script = join(import.meta.dirname, 'followers.ts');
  const child = spawn(process.execPath, [script, url, `${FOLLOWERS}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async () => {
      const { value, done } = await lines.next();
      if (done) throw new Error('The followers have ended.');
      return value as string;
    };
    child.stdin.write(`${JSON.stringify(await admins())}\n`);
    await next();
    const before = [await clock(), await databaseClock()] as const;
    const { count, took } = await write();
    const serverUs = ((await clock()) - before[0]) / count;
    const databaseUs = ((await databaseClock()) - before[1]) / count;
    // What is still on its way.
    await delay(2_000);
    child.stdin.end();
    return { name, writes: count / took, serverUs, databaseUs, ...(JSON.parse(await next()) as Arrived) };
  } finally {
    if (child.exitCode === null) {
      child.kill();
      await once(child, 'exit');
    }
  }
}

type Arrived = Pick<FeedFigures, 'arrivals' | 'p50' | 'p99'>;
