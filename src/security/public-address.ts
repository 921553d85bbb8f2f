import { lookup as lookUp } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** The address is not of the public internet, and only an operator could mean it to be asked. */
export class PrivateAddress extends Error {
  override readonly name = 'PrivateAddress';
  /** For `dns.lookup`'s callback, whose errors have one. */
  readonly code = 'EPRIVATE';

  constructor(host: string, address: string) {
    super(host === address ? `${address} is a private address` : `${host} has a private address: ${address}`);
  }
}

/** What is not globally reachable, of IANA's registry of special-purpose addresses (RFC 6890), and multicast. */
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

/** The same inside of 2000::/3, which is all that is handed out; 6to4 and Teredo among it, which hold an IPv4 address. */
const SPECIAL_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

const special = { 4: new BlockList(), 6: new BlockList() };
for (const [network, prefix] of SPECIAL_IPV4.map(parts)) {
  special[4].addSubnet(network, prefix, 'ipv4');
  // As a network without IPv4 reaches it (NAT64, RFC 6052).
  special[6].addSubnet(`64:ff9b::${network}`, 96 + prefix, 'ipv6');
}
for (const [network, prefix] of SPECIAL_IPV6.map(parts)) special[6].addSubnet(network, prefix, 'ipv6');
// All but 2000::/3 and NAT64's 64:ff9b::/96: loopback, IPv4-mapped, unique-local, link-local, multicast and the rest.
special[6].addRange('::', '64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff', 'ipv6');
special[6].addRange('64:ff9b::1:0:0', '1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'ipv6');
special[6].addRange('4000::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'ipv6');

function parts(subnet: string): [network: string, prefix: number] {
  const [network = '', prefix] = subnet.split('/');
  return [network, Number(prefix)];
}

/** Whether an IP address is one of the public internet. */
export function isPublicAddress(address: string): boolean {
  const [bare = ''] = address.split('%');
  const version = isIP(bare);
  return (version === 4 || version === 6) && !special[version].check(bare, `ipv${version}`);
}

/**
 * Options with which a request of `node:http` or `node:https` to this URL reaches no private address. What its name leads
 * to is checked as it is connected to, so that no other answer of the name server can come in between.
 * Throws `PrivateAddress` for a URL that has such an address itself; later the request fails with it.
 *
 * `net.BlockList` as an option of the request would be less, but TLS connections pass over it.
 */
export function publicOnly(url: URL): { lookup: LookupFunction } {
  // An address that is written out is not looked up.
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !isPublicAddress(host)) throw new PrivateAddress(host, host);
  return { lookup: publicLookup };
}

const publicLookup: LookupFunction = (host, options, callback) => {
  lookUp(host, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, []);
    const bad = addresses.find(({ address }) => !isPublicAddress(address));
    if (bad !== undefined) return callback(new PrivateAddress(host, bad.address), []);
    const [first] = addresses;
    if (options.all || first === undefined) return callback(null, addresses);
    callback(null, first.address, first.family);
  });
};
