import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Opens a bare TCP connection, for bytes that no HTTP client would send. Its errors are ignored. */
export async function dial(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Resolves once a connection is closed, also by a reset. `once` of `node:events` would reject. */
export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}

/** Sends these bytes, and returns the whole answer once the other side closes. */
export async function sendRaw(url: string, bytes: string | Buffer): Promise<string> {
  const socket = await dial(url);
  let answer = '';
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString('latin1');
  });
  socket.write(bytes);
  await closed(socket);
  return answer;
}
