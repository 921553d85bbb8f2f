import { randomInt } from 'node:crypto';

/**
 * Addresses of this machine alone that nobody else uses, so that each host of the cluster has one of its own, with the ports that
 * the configuration files name. On Linux, all of 127.0.0.0/8 is the loopback network.
 */
export function loopbackHosts(): (host: number) => string {
  const network = `127.${randomInt(16, 250)}.${randomInt(0, 256)}`;
  return (host) => `${network}.${host}`;
}
