import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Contender } from './contenders.ts';
import type { Served } from './crowd.ts';
import { generator } from './load.ts';
import type { Rounds } from './measure.ts';
import { people } from './people.ts';

/** How many callers ask as fast as they are answered: as many as keep the service busy, and up to thirty times as many. */
const CALLERS = [32, 64, 256, 1_000];

/** Of these, how many have their times taken, by a slower generator that tells the answered from the refused. */
const TIMED = 8;

/** What a service does under a number of callers. */
export interface Overload extends Served {
  readonly contender: string;
  readonly callers: number;
  /** Answered and refused a second, of all callers. */
  readonly goodput: number;
  readonly refused: number;
}

/** Has more and more callers ask for their own account. */
export async function overloads({ name, url }: Contender, { warmUp, seconds }: Rounds): Promise<Overload[]> {
  const found: Overload[] = [];
  const who = await people('hs256');
  for (const callers of CALLERS) {
    const load = { method: 'GET', path: '/v1/me', people: who, connections: callers - TIMED };
    await generator.run(url, load, warmUp);
    const [all, timed] = await Promise.all([generator.run(url, load, seconds), time(url, seconds)]);
    found.push({
      contender: name,
      callers,
      ...timed,
      goodput: (all.requests - all.refused) / all.seconds + timed.answered / seconds,
      refused: all.refused / all.seconds + timed.turnedAway / seconds,
    });
  }
  return found;
}

async function time(url: string, seconds: number): Promise<Served> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'crowd.ts'), url, `${TIMED}`, `${seconds}`],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  child.stdin.end(JSON.stringify(await people('hs256')));
  return JSON.parse(await text(child.stdout));
}
