import { once } from 'node:events';
import { type AddressInfo, createServer, type ListenOptions, type Server } from 'node:net';
import type { Settings } from '../../config/settings.ts';
import { CannotStart } from './cannot-start.ts';

/** Where to listen; port 0 is any free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  /** The settings that they are from. Default: HOST and PORT. */
  readonly names?: { readonly host: string; readonly port: string };
}

/** Where the port for operators listens. */
export function operatorsAddress({ metrics: { host, port } }: Pick<Settings, 'metrics'>): ListenAddress {
  return { host, port: port ?? 0, names: { host: 'METRICS_HOST', port: 'METRICS_PORT' } };
}

/** Listens, and returns the base URL. Throws {@link CannotStart} with the setting to change. */
export async function listen(
  server: Server,
  address: ListenAddress,
  options: Pick<ListenOptions, 'backlog' | 'reusePort'> = {},
): Promise<string> {
  server.listen({ ...options, host: address.host, port: address.port });
  await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
    throw new CannotStart(reasonOf(error, address), { cause: error });
  });
  const bound = server.address() as AddressInfo;
  return `http://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
}

/**
 * Checks that {@link listen} will succeed, before a start migrates for seconds. It stops listening at once: whoever can connect
 * may expect answers.
 */
export async function checkAddress(address: ListenAddress): Promise<void> {
  const probe = createServer((socket) => socket.destroy());
  await listen(probe, address);
  const closed = once(probe, 'close');
  probe.close();
  await closed;
}

function reasonOf({ code, message }: NodeJS.ErrnoException, address: ListenAddress): string {
  const { host, port, names = { host: 'HOST', port: 'PORT' } } = address;
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port} of ${host} is taken: stop the program that listens there, or set ${names.port} to a free one.`;
    case 'EACCES':
      return `This account may not listen on port ${port}: set ${names.port} to 1024 or higher.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${host} is no address of this machine: set ${names.host} to one of its addresses, 127.0.0.1 or 0.0.0.0.`;
    default:
      return `Cannot listen on ${names.host} ${host}, ${names.port} ${port}: ${message}`;
  }
}
