import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { type Socket, Server as TcpServer } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Acceptors } from './acceptors.ts';

/**
 * How long a connection must be silent, once draining has begun, to count as unused, in milliseconds: behind a balancer, until that has
 * noticed and sends nothing more, by two checks a second apart; elsewhere, so that nobody waits.
 */
export const SILENCE_MS = { balanced: 2_500, direct: 500 } as const;

/** How often to look for unused connections, in milliseconds. */
const LOOK_EVERY_MS = 250;

/** For how many turns of the event loop connections are accepted that were made before draining began. */
const MAX_TURNS = 100;

/** Closes the server. Resolves when its last connection is gone, with whether all of them ended by themselves. */
export type GracefulClose = (timeoutMs: number) => Promise<boolean>;

/** What is known of a connection. */
interface Use {
  /** How many of its requests are not answered yet. */
  requests: number;
  /** How much of it had been read when the last one was done: more is the beginning of another one. */
  doneAt: number;
  /** How much of it had been read at the last look, and since when no more. */
  seenAt: number;
  silentSince: number;
}

/**
 * Prepares a server, before it listens, for a graceful close: it then accepts no new connections, and open ones may finish, so
 * that every request is answered. Connections that are busy beyond the timeout are cut.
 *
 * It relies on answers that say `Connection: close` meanwhile.
 */
export function gracefulClose(
  server: Server,
  acceptors: Acceptors,
  silenceMs: number = SILENCE_MS.direct,
): GracefulClose {
  const connections = new Map<Socket, Use>();
  let hasAccepted = false;
  server.on('connection', (socket: Socket) => {
    hasAccepted = true;
    connections.set(socket, { requests: 0, doneAt: 0, seenAt: -1, silentSince: 0 });
    socket.once('close', () => connections.delete(socket));
  });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    const use = connections.get(socket);
    if (use === undefined) return;
    const noteRead = () => {
      use.doneAt = socket.bytesRead;
    };
    use.requests++;
    // The rest of a body may come after the answer.
    request.once('close', noteRead);
    response.once('close', () => {
      use.requests--;
      noteRead();
    });
  });

  /** Not all that are idle at the moment: a client may just have sent a request into one that it uses all the time. */
  const closeUnused = (silence: number) => {
    const now = performance.now();
    for (const [socket, use] of connections) {
      const { bytesRead } = socket;
      if (bytesRead !== use.seenAt) use.silentSince = now;
      use.seenAt = bytesRead;
      const isIdle = use.requests === 0 && bytesRead === use.doneAt;
      if (isIdle && now - use.silentSince >= silence) socket.destroy();
    }
  };

  return async (timeoutMs) => {
    let cut = false;
    const closed = once(server, 'close');
    // The system would reset connections that nobody has accepted. Two turns, between which it is asked for more.
    for (let turn = 0; turn < MAX_TURNS && (turn < 2 || hasAccepted); turn++) {
      hasAccepted = false;
      await nextTurn();
      await nextTurn();
    }
    // Not the close of http.Server: it also cuts each connection that is idle at this moment, and with it a request that
    // its client has just sent.
    TcpServer.prototype.close.call(server);
    const acceptorsClosed = acceptors.close();
    const unused = setInterval(closeUnused, LOOK_EVERY_MS, Math.min(silenceMs, timeoutMs / 2));
    const tooLong = setTimeout(() => {
      cut = true;
      server.closeAllConnections();
    }, timeoutMs);
    await Promise.all([closed, acceptorsClosed]);
    clearInterval(unused);
    clearTimeout(tooLong);
    return !cut;
  };
}
