import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JSONWebKeySet } from 'jose';

/** A key set at a URL on loopback. */
export interface KeyServer {
  readonly origin: string;
  readonly url: string;
  /** How many requests it has received. */
  asked(): number;
  close(): Promise<void>;
}

/** Serves these keys. */
export async function serveKeys(keys: JSONWebKeySet): Promise<KeyServer> {
  let count = 0;
  const server = createServer((_, response) => {
    count++;
    response.end(JSON.stringify(keys));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    url: `${origin}/keys`,
    asked: () => count,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
