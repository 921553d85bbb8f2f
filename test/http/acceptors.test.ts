import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { expect } from 'chai';
import { Acceptors, LISTENING } from '../../src/http/server/acceptors.ts';
import { gracefulClose } from '../../src/http/server/graceful-close.ts';
import { dial } from '../support/raw-http.ts';
import { until } from '../support/until.ts';

describe('a server that accepts on further sockets', () => {
  it('answers what came by each of them, also while it closes, and then accepts no more', async () => {
    const pending: ServerResponse[] = [];
    const server = createServer((_, response) => pending.push(response));
    const acceptors = new Acceptors(server);
    const close = gracefulClose(server, acceptors);
    server.listen({ ...LISTENING, host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    await acceptors.open();
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

    const sockets: Socket[] = [];
    for (let n = 0; n < 64; n++) {
      const socket = await dial(url);
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      sockets.push(socket);
    }
    await until('64 requests', () => pending.length === 64);
    if (process.platform === 'linux') {
      const { promise: own, resolve } = Promise.withResolvers<number>();
      server.getConnections((_, count) => resolve(count));
      expect(await own).to.be.below(64);
    }

    const closed = close(10_000);
    await until('no further connections', () =>
      dial(url).then(
        (socket) => !!socket.destroy() && false,
        () => true,
      ),
    );
    const answers = Promise.all(sockets.map(async (socket) => `${(await once(socket, 'data'))[0]}`));
    for (const response of pending) response.setHeader('Connection', 'close').end('done');
    for (const answer of await answers) expect(answer).to.match(/^HTTP\/1\.1 200 /);
    expect(await closed).to.equal(true);
  });
});
