import { lookup as lookUp } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** The address is outside the public internet. Only the operator may allow requests to it. */
export class PrivateAddress extends Error {
  override readonly name = 'PrivateAddress';
  /** The callback of `dns.lookup` expects errors with a code. */
  readonly code = 'EPRIVATE';

  constructor(host: string, address: string) {
    super(host === address ? `${address} is a private address` : `${host} has a private address: ${address}`);
  }
}

/** Networks that are not globally reachable by IANA's special-purpose address registry (RFC 6890), and multicast. */
const SPECIAL_IPV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
];

/** The same within 2000::/3, the only allocated range. Includes 6to4 and Teredo, which embed an IPv4 address. */
const SPECIAL_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

const special = { 4: new BlockList(), 6: new BlockList() };
for (const [network, prefix] of SPECIAL_IPV4.map(parseSubnet)) {
  special[4].addSubnet(network, prefix, 'ipv4');
  // The same network as NAT64 embeds it in IPv6 (RFC 6052).
  special[6].addSubnet(`64:ff9b::${network}`, 96 + prefix, 'ipv6');
}
for (const [network, prefix] of SPECIAL_IPV6.map(parseSubnet)) special[6].addSubnet(network, prefix, 'ipv6');
// Everything but 2000::/3 and NAT64's 64:ff9b::/96: loopback, IPv4-mapped, unique-local, link-local, multicast and more.
special[6].addRange('::', '64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff', 'ipv6');
special[6].addRange('64:ff9b::1:0:0', '1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'ipv6');
special[6].addRange('4000::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'ipv6');

function parseSubnet(subnet: string): [network: string, prefix: number] {
  const [network = '', prefix] = subnet.split('/');
  return [network, Number(prefix)];
}

/** Whether an IP address belongs to the public internet. */
export function isPublicAddress(address: string): boolean {
  const [bare = ''] = address.split('%');
  const version = isIP(bare);
  return (version === 4 || version === 6) && !special[version].check(bare, `ipv${version}`);
}

/**
 * Options for a connection to this URL that keep it away from private addresses. They check
 * the very address that the connection uses, so a name server cannot give a different answer after the check.
 * @throws {PrivateAddress} if the URL itself contains a private address. If its name resolves to one, the request fails
 *   with the same error.
 *
 * The `net.BlockList` option of a connection would be simpler, but TLS connections ignore it.
 */
export function publicOnly(url: URL): { lookup: LookupFunction } {
  // Node does not look up an IP address in a URL, so check it here.
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !isPublicAddress(host)) throw new PrivateAddress(host, host);
  return { lookup: publicLookup };
}

/** How long {@link refusePrivate} waits for a name server, in milliseconds: behind a proxy there may be none. */
const LOOKUP_MS = 2_000;

/**
 * Refuses a URL whose name has a private address, before a request through a proxy, which looks the name up itself. A name that
 * is unknown here passes: only the proxy can know it, and its rules decide.
 * @throws {PrivateAddress}
 */
export async function refusePrivate(url: URL): Promise<void> {
  const { lookup } = publicOnly(url);
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, LOOKUP_MS);
    lookup(url.hostname.replace(/^\[|\]$/g, ''), { all: true }, (error) => {
      clearTimeout(timer);
      if (error instanceof PrivateAddress) reject(error);
      else resolve();
    });
  });
}

const publicLookup: LookupFunction = (host, options, callback) => {
  lookUp(host, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, []);
    const blocked = addresses.find(({ address }) => !isPublicAddress(address));
    if (blocked !== undefined) return callback(new PrivateAddress(host, blocked.address), []);
    const [first] = addresses;
    if (options.all || first === undefined) return callback(null, addresses);
    callback(null, first.address, first.family);
  });
};
