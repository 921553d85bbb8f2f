import { text } from 'node:stream/consumers';
import autocannon from 'autocannon';
import { CONNECTIONS, type Load, type Seen } from './load.ts';

/** Puts the load on standard input on a server: `node autocannon.ts URL SECONDS`. Prints what it has seen as JSON. */
const [url = '', seconds] = process.argv.slice(2);
const { method, path, people, body }: Load = JSON.parse(await text(process.stdin));

let next = 0;
const result = await autocannon({
  url,
  connections: CONNECTIONS,
  duration: Number(seconds),
  requests: [
    {
      path,
      method: method as 'GET',
      setupRequest: (request) => {
        next++;
        return {
          ...request,
          headers: {
            ...people[next % people.length],
            ...(body !== undefined && { 'Content-Type': 'application/json' }),
          },
          ...(body !== undefined && { body: body.replaceAll('%d', `${Date.now() * 1000 + next}`) }),
        };
      },
    },
  ],
});
const seen: Seen = {
  requests: result.requests.total,
  seconds: result.duration,
  p50: result.latency.p50,
  p99: result.latency.p99,
  refused: result.non2xx,
  failed: result.errors,
};
console.log(JSON.stringify(seen));
