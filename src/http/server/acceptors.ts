import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, createServer, type Server as TcpServer } from 'node:net';

/**
 * How many sockets a server listens on where the system can share a port (Linux). Node accepts one connection for each of them in a
 * turn of the event loop. Of a thousand that come at once while turns are long, the last would wait for a thousand turns, and a
 * probe behind them: seconds.
 */
const SOCKETS = process.platform === 'linux' ? 16 : 1;

/**
 * How a server listens that has {@link Acceptors}: it shares its port, and many connections may wait to be accepted, where the system
 * allows it. Those beyond would try again only after a second, and then after three.
 */
export const LISTENING = { backlog: 4_096, reusePort: SOCKETS > 1 } as const;

/** Accepts connections for a server on further sockets of the same address. */
export class Acceptors {
  readonly #server: Server;
  readonly #more: TcpServer[] = [];

  constructor(server: Server) {
    this.#server = server;
  }

  /** Begins to accept. The server listens already, as {@link LISTENING} says. */
  async open(): Promise<void> {
    const { address, port } = this.#server.address() as AddressInfo;
    for (let count = 1; count < SOCKETS; count++) {
      // As `http.Server` has it: a client may close its side after its request.
      const options = { allowHalfOpen: true, noDelay: true };
      const acceptor = createServer(options, (socket) => this.#server.emit('connection', socket));
      this.#more.push(acceptor);
      acceptor.listen({ ...LISTENING, host: address, port });
      await once(acceptor, 'listening');
    }
  }

  /** Accepts no more. Resolves once all connections that came this way are gone. */
  async close(): Promise<void> {
    await Promise.all(this.#more.map((acceptor) => new Promise((resolve) => acceptor.close(resolve))));
  }
}
