import type { Settings } from '../../config/settings.ts';

/** Hosts to listen on that are no address to go to: all of the machine's. */
const ALL_ADDRESSES = new Set(['0.0.0.0', '::']);

/** Where browsers reach the service, as far as the settings tell: PUBLIC_URL, or else this machine. With the base path. */
export function consoleAddress({
  publicUrl,
  host,
  port,
  basePath,
}: Pick<Settings, 'publicUrl' | 'host' | 'port' | 'basePath'>): string {
  const name = ALL_ADDRESSES.has(host) ? 'localhost' : host;
  return `${publicUrl ?? `http://${name.includes(':') ? `[${name}]` : name}:${port}`}${basePath}`;
}

/** A link to the console with a code that signs in. In the fragment, which a browser sends nowhere: no log and no proxy has it. */
export function consoleLink(address: string, code: string): string {
  return `${address}/console/#code=${code}`;
}
