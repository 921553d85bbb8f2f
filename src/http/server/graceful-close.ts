import { once } from 'node:events';
import type { Server } from 'node:http';
import { type Socket, Server as TcpServer } from 'node:net';

/** How long a connection must have been silent, once draining has begun, before it is taken for unused. */
const SILENCE_MS = 500;

/** Closes the server; resolves when its last connection is gone, and says whether none had to be cut. */
export type GracefulClose = (timeoutMs: number) => Promise<boolean>;

/**
 * Prepares a server that does not listen yet for being closed without harm: it then takes no new connections, and those
 * that are open may finish, so that what has been asked is answered. What is busy for longer than the time-out is cut.
 *
 * It counts on the answers to say `Connection: close` meanwhile.
 */
export function gracefulClose(server: Server): GracefulClose {
  const connections = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });

  const closeUnused = () => {
    server.closeIdleConnections();
    // Node counts those among the busy ones on which nothing has ever been asked.
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
  };

  return async (timeoutMs) => {
    let cut = false;
    const closed = once(server, 'close');
    // Not the close of http.Server: that one also cuts each connection that is idle at this instant, and with it the
    // request that its client has just sent and that has not been read yet.
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
