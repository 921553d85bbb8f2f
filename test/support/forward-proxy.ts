import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

/** A proxy on loopback that tunnels connections (RFC 9110, section 9.3.6) and knows names of its own. */
export interface ForwardProxy {
  /** With a user and a password, which it demands. */
  readonly url: string;
  /** The targets of its tunnels so far, as `host:port`. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** Starts one; `names` has the local port of each host that only it knows. */
export async function startForwardProxy(names: Readonly<Record<string, number>> = {}): Promise<ForwardProxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const credentials = `Basic ${Buffer.from('rollcall:p@ss').toString('base64')}`;
  const server = createServer((_, response) => response.writeHead(405).end());
  server.on('connect', ({ url = '', headers }, client: Socket) => {
    if (headers['proxy-authorization'] !== credentials) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    asked.push(url);
    const { hostname, port } = new URL(`tunnel://${url}`);
    const upstream = connect(names[hostname] ?? Number(port), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      client.pipe(upstream).pipe(client);
    });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://rollcall:p%40ss@127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
