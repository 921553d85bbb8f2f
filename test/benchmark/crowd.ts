import { Agent, get } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Person } from './people.ts';

/** What became of the requests of a crowd. */
export interface Served {
  readonly answered: number;
  readonly turnedAway: number;
  /** Milliseconds of the requests that were answered. */
  readonly p50: number;
  readonly p99: number;
}

/**
 * A process of callers that ask again as soon as they are answered: its arguments are the URL, how many callers, and for how many
 * seconds. Its standard input is the headers of people. It prints what became of the requests, as JSON.
 */
const [url = '', callers = '0', seconds = '0'] = process.argv.slice(2);
const people: Person[] = JSON.parse(await text(process.stdin));
const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
const latencies: number[] = [];
let turnedAway = 0;

const ends = performance.now() + 1_000 * Number(seconds);
await Promise.all(Array.from({ length: Number(callers) }, (_, n) => call(n)));
latencies.sort((a, b) => a - b);
const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
const served: Served = { answered: latencies.length, turnedAway, p50: at(0.5), p99: at(0.99) };
console.log(JSON.stringify(served));
agent.destroy();

async function call(caller: number): Promise<void> {
  for (let n = caller; performance.now() < ends; n += Number(callers)) {
    const asked = performance.now();
    const status = await ask(people[n % people.length] ?? {});
    if (status === 200) latencies.push(performance.now() - asked);
    else if (status === 503) turnedAway++;
    else throw new Error(`Answered ${status}.`);
  }
}

function ask(headers: Person): Promise<number> {
  return new Promise((resolve, reject) => {
    get(`${url}/v1/me`, { agent, headers }, (answer) => {
      answer.resume().once('end', () => resolve(answer.statusCode ?? 0));
      answer.once('error', reject);
    }).once('error', reject);
  });
}
