import { once } from 'node:events';
import type { Server } from 'node:http';
import { type Socket, Server as TcpServer } from 'node:net';
import type { Acceptors } from './acceptors.ts';

/** How long a connection must be silent, once draining has begun, to count as unused. */
const SILENCE_MS = 500;

/** Closes the server. Resolves when its last connection is gone, with whether all of them ended by themselves. */
export type GracefulClose = (timeoutMs: number) => Promise<boolean>;

/**
 * Prepares a server, before it listens, for a graceful close: it then accepts no new connections, and open ones may finish, so
 * that every request is answered. Connections that are busy beyond the timeout are cut.
 *
 * It relies on answers that say `Connection: close` meanwhile.
 */
export function gracefulClose(server: Server, acceptors: Acceptors): GracefulClose {
  const connections = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });

  const closeUnused = () => {
    server.closeIdleConnections();
    // Node counts a connection without any request as busy.
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
  };

  return async (timeoutMs) => {
    let cut = false;
    const closed = Promise.all([once(server, 'close'), acceptors.close()]);
    // Not the close of http.Server: it also cuts each connection that is idle at this moment, and with it a request that
    // its client has just sent.
    TcpServer.prototype.close.call(server);
    const unused = setInterval(closeUnused, SILENCE_MS);
    const tooLong = setTimeout(() => {
      cut = true;
      server.closeAllConnections();
    }, timeoutMs);
    await closed;
    clearInterval(unused);
    clearTimeout(tooLong);
    return !cut;
  };
}
