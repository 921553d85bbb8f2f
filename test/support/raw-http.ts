import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A bare connection, for what no HTTP client would send. What it is broken by does no harm. */
export async function dial(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Sends these bytes, and returns all that is answered until the other side closes. */
export async function sendRaw(url: string, bytes: string | Buffer): Promise<string> {
  const socket = await dial(url);
  let answer = '';
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString('latin1');
  });
  socket.write(bytes);
  await once(socket, 'close');
  return answer;
}
