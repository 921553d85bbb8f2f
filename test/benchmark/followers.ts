import { Agent, get } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import type { Arrived } from './follow.ts';
import type { Person } from './people.ts';

/**
 * A process of followers of the change feed: its arguments are the URL and how many. The first line of its standard input is the
 * admins' headers; it prints `ready` once all streams are open. For each further line it prints, once nothing more arrives, what
 * has arrived since the last one, as JSON.
 */
const [url = '', count = '0'] = process.argv.slice(2);
const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });

/** The most latencies that are kept, of all followers together: beyond that, a sample. */
const MAX_KEPT = 1_000_000;
/** How long nothing arrives where nothing more does, and how long that is awaited, in milliseconds. */
const QUIET_MS = 1_500;
const PATIENCE_MS = 60_000;

let latencies: number[] = [];
let arrivals = 0;
let resumed = 0;
let arrivedAt = 0;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const admins: Person[] = JSON.parse((await lines.next()).value ?? '[]');
for (let n = 0; n < Number(count); n++) await open(admins[n % admins.length] ?? {});
console.log('ready');
while (!(await lines.next()).done) console.log(JSON.stringify(await report()));

async function report(): Promise<Arrived> {
  const began = Date.now();
  while (Date.now() - Math.max(arrivedAt, began) < QUIET_MS) {
    if (Date.now() - began > PATIENCE_MS) throw new Error('Changes arrive without end.');
    await delay(50);
  }
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  const found = { arrivals, p50: at(0.5), p99: at(0.99), resumed };
  [latencies, arrivals, resumed] = [[], 0, 0];
  return found;
}

/** Opens a stream, and another one when that ends, as every EventSource does. */
function open(admin: Person, last?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let position = last;
    const headers = {
      ...admin,
      Accept: 'text/event-stream',
      ...(last !== undefined && { 'Last-Event-ID': last }),
    };
    get(`${url}/v1/changes?after=now`, { agent, headers }, (answer) => {
      if (answer.statusCode !== 200) return reject(new Error(`The feed answered ${answer.statusCode}.`));
      const parser = createParser({
        onEvent: ({ id, data }) => {
          position = id ?? position;
          const { at } = JSON.parse(data) as { at?: string };
          if (at !== undefined) keep(Date.now() - Date.parse(at));
        },
      });
      answer.setEncoding('utf8').on('data', (text: string) => parser.feed(text));
      answer.once('data', () => resolve());
      answer.once('error', fail);
      answer.once('end', () => {
        resumed++;
        open(admin, position).catch(fail);
      });
    }).once('error', reject);
  });
}

function keep(ms: number): void {
  arrivedAt = Date.now();
  arrivals++;
  const place = arrivals <= MAX_KEPT ? latencies.length : Math.floor(Math.random() * arrivals);
  if (place < MAX_KEPT) latencies[place] = ms;
}

function fail(error: Error): never {
  console.error(error);
  process.exit(1);
}
