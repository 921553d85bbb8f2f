import type { IncomingMessage } from 'node:http';
import { BlockList, isIPv6 } from 'node:net';
import { canonicalAddress } from './ip-address.ts';

/** The trusted proxies: how many in a row, or their addresses and networks (CIDR). */
export type TrustProxy = number | readonly string[];

/** The origin of a request, as far as trusted proxies tell it. */
export interface Forwarded {
  /**
   * The canonical address of the client: the nearest address that is not a trusted proxy's. It walks `X-Forwarded-For` from
   * the right, where each proxy appends its peer, so that what the client wrote is never reached; anything but an address
   * ends the walk. `peer` is the address that the connection had, by default what it has: nothing once it is gone, and the
   * result is empty then.
   */
  clientAddress(request: IncomingMessage, peer?: string | undefined): string;
  /**
   * The requested host, with its port: the last one in `X-Forwarded-Host`, where the nearest proxy is trusted and wrote it.
   */
  host(request: IncomingMessage): string;
}

/** Creates the reader of what trusted proxies add. */
export function forwarded(trust: TrustProxy): Forwarded {
  const isTrusted = trustOf(trust);
  const addressOf = (peer: string | undefined) => canonicalAddress(peer ?? '') ?? '';
  return {
    clientAddress(request, peer = request.socket.remoteAddress) {
      let address = addressOf(peer);
      const claims = textOf(request.headers['x-forwarded-for']).split(',').reverse();
      for (const [hops, claim] of claims.entries()) {
        const next = isTrusted(address, hops) ? canonicalAddress(withoutPort(claim.trim())) : undefined;
        if (next === undefined) break;
        address = next;
      }
      return address;
    },
    host(request) {
      const last = textOf(request.headers['x-forwarded-host']).split(',').at(-1)?.trim();
      return (isTrusted(addressOf(request.socket.remoteAddress), 0) && last) || (request.headers.host ?? '');
    },
  };
}

function trustOf(trust: TrustProxy): (address: string, hops: number) => boolean {
  if (typeof trust === 'number') return (_address, hops) => hops < trust;
  const list = new BlockList();
  for (const network of trust) {
    const [address = '', prefix] = network.split('/');
    if (prefix === undefined) list.addAddress(address, familyOf(address));
    else list.addSubnet(address, Number(prefix), familyOf(address));
  }
  return (address) => address !== '' && list.check(address, familyOf(address));
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}

/** Some proxies append the client's port: `1.2.3.4:5678`, `[2001:db8::1]:5678`. */
function withoutPort(claim: string): string {
  const [, v6, v4] = /^(?:\[(.+)\]|(\d+(?:\.\d+){3}))(?::\d+)?$/.exec(claim) ?? [];
  return v6 ?? v4 ?? claim;
}

function textOf(header: string | string[] | undefined): string {
  return [header ?? ''].flat().join(',');
}
