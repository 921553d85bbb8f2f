import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { dial } from '../../support/raw-http.ts';
import { ADMIN } from '../load/people.ts';
import { oneOf } from '../random.ts';
import type { Fault } from './index.ts';

/** How long they go on, in milliseconds. */
const LASTS_MS = 6_000;

/** How many callers ask as fast as they are answered. */
const CALLERS = 400;

/** More callers than the service can answer. */
export const overload: Fault = {
  name: 'overload',
  title: `${CALLERS} callers who read and write as fast as they are answered, for ${LASTS_MS / 1_000} s`,
  async inflict(_, { client, people, random }) {
    const end = performance.now() + LASTS_MS;
    const call = async (n: number) => {
      while (performance.now() < end) {
        const as = oneOf(random, people);
        if (random() < 0.8) await client.send({ method: 'GET', path: '/v1/me', as });
        else
          await client.send({
            method: 'PATCH',
            path: '/v1/me/preferences',
            as,
            action: 'updated',
            body: (mark) => ({ [`c${n % 20}`]: mark }),
          });
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, (_, n) => call(n)));
  },
};

/** Of each kind of hostile client, how many there are at each replica. */
const HOSTILE = 10;

/** Clients that send a byte a second, do not read their answer, or talk nonsense. */
export const hostileClients: Fault = {
  name: 'hostile-clients',
  title: `${HOSTILE} clients of each kind at each replica that upload a byte a second, leave exports unread, or send garbage, for ${LASTS_MS / 1_000} s`,
  async inflict({ replicas }, { client }) {
    const { Authorization } = await client.headersOf(ADMIN);
    const head = (start: string) => `${start} HTTP/1.1\r\nHost: x\r\nAuthorization: ${Authorization}\r\n`;
    const upload = 'Content-Type: application/x-ndjson\r\nContent-Length: 100000\r\n\r\n';
    const beginnings = [
      `${head('POST /v1/users/import')}${upload}{`,
      `${head('GET /v1/users/export')}\r\n`,
      `${head('GET /v1/history?limit=1000')}\r\n`,
      '\u0000\u0016\u0003\u0001 garbage \r\n\r\n',
      'GET /v1/me HTTP/1.1\r\nX-Endless: ',
    ];
    const sockets: Socket[] = [];
    for (const { url } of replicas) {
      for (const beginning of Array(HOSTILE).fill(beginnings).flat() as string[]) {
        const socket = await dial(url);
        sockets.push(socket.on('error', () => undefined));
        socket.pause().write(beginning);
      }
    }
    for (const end = performance.now() + LASTS_MS; performance.now() < end; await pause(1_000)) {
      for (const socket of sockets) if (socket.writable) socket.write(' ');
    }
    for (const socket of sockets) socket.destroy();
  },
};
