import { once } from 'node:events';
import type { Server } from 'node:http';
import { Server as TcpServer } from 'node:net';

/** How long a connection must have been silent, once draining has begun, before it is taken for unused. */
const SILENCE_MS = 500;

/**
 * Stops accepting connections and lets those that are open finish: what has been asked is answered. Connections that are
 * still busy after `timeoutMs` are cut. Resolves when the last is gone, and says whether none had to be cut.
 *
 * It counts on the answers to say `Connection: close` meanwhile.
 */
export async function closeGracefully(server: Server, timeoutMs: number): Promise<boolean> {
  let cut = false;
  const closed = once(server, 'close');
  // Not the close of http.Server: that one also cuts each connection that is idle at this instant, and with it the
  // request that its client has just sent and that has not been read yet.
  TcpServer.prototype.close.call(server);
  const unused = setInterval(() => server.closeIdleConnections(), SILENCE_MS);
  const tooLong = setTimeout(() => {
    cut = true;
    server.closeAllConnections();
  }, timeoutMs);
  await closed;
  clearInterval(unused);
  clearTimeout(tooLong);
  return !cut;
}
