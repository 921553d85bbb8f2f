import { Agent, get } from 'node:http';
import { createParser } from 'eventsource-parser';
import type { Person } from './people.ts';

/**
 * A process of followers of the change feed: its arguments are the URL and how many, its standard input the headers of the admins
 * that they are. It prints `ready` once all streams are open and, when its input ends, a line of JSON with the milliseconds from
 * the time of a change to its arrival at a follower.
 */
const [url = '', count = '0'] = process.argv.slice(2);
const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });
const latencies: number[] = [];
let input = '';

/** The most latencies that are kept, of all followers together. */
const MAX_KEPT = 2_000_000;

process.stdin.setEncoding('utf8');
process.stdin.on('data', (text: string) => {
  const isFirst = input === '';
  input += text;
  if (isFirst) follow(JSON.parse(input.split('\n')[0] ?? '')).catch(fail);
});
process.stdin.on('end', () => {
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  console.log(JSON.stringify({ arrivals: latencies.length, p50: at(0.5), p99: at(0.99) }));
  process.exit(0);
});

async function follow(admins: readonly Person[]): Promise<void> {
  for (let n = 0; n < Number(count); n++) await open(admins[n % admins.length] ?? {});
  console.log('ready');
}

function open(admin: Person): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { ...admin, Accept: 'text/event-stream' };
    get(`${url}/v1/changes?after=now`, { agent, headers }, (answer) => {
      if (answer.statusCode !== 200) return reject(new Error(`The feed answered ${answer.statusCode}.`));
      const parser = createParser({
        onEvent: ({ data }) => {
          const { at } = JSON.parse(data) as { at: string };
          if (latencies.length < MAX_KEPT) latencies.push(Date.now() - Date.parse(at));
        },
      });
      answer.setEncoding('utf8').on('data', (text: string) => parser.feed(text));
      answer.once('data', () => resolve());
      answer.once('error', fail);
    }).once('error', reject);
  });
}

function fail(error: Error): never {
  console.error(error);
  process.exit(1);
}
