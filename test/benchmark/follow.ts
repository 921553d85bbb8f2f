import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { admins } from './people.ts';

/** What has arrived at all followers together. */
export interface Arrived {
  readonly arrivals: number;
  /** Milliseconds from the time of a change to its arrival at a follower. */
  readonly p50: number;
  readonly p99: number;
  /** How many streams have ended and were resumed. */
  readonly resumed: number;
}

/** Followers of the change feed, in a process of their own. */
export interface Followers {
  /** What has arrived since the last report, once nothing more does. */
  report(): Promise<Arrived>;
  stop(): Promise<void>;
}

/** Starts some followers. Resolves once all their streams are open. */
export async function follow(url: string, count: number): Promise<Followers> {
  const script = join(import.meta.dirname, 'followers.ts');
  const child = spawn(process.execPath, [script, url, `${count}`], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (question: string) => {
    child.stdin.write(`${question}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error('The followers have ended.');
    return value as string;
  };
  const stop = async () => {
    child.kill();
    await ended;
  };
  try {
    await ask(JSON.stringify(await admins()));
  } catch (error) {
    await stop();
    throw error;
  }
  return { report: async () => JSON.parse(await ask('report')), stop };
}
