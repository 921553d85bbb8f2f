import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { forwarded, type TrustProxy } from '../../src/http/request/forwarded.ts';
import { canonicalAddress, networkOf } from '../../src/http/request/ip-address.ts';
import { sendRaw } from '../support/raw-http.ts';

describe('the client address', () => {
  let server: Server;
  let url: string;
  let trust: TrustProxy;

  before(async () => {
    server = createServer((request, response) => {
      const { clientAddress, host } = forwarded(trust);
      response.end(`${clientAddress(request)} ${host(request)}`);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  after(() => server.close());

  /** The client address and host of a request from 127.0.0.1 with these headers. */
  const seen = async (...headers: string[]) => {
    const head = ['GET / HTTP/1.1', 'Host: rollcall.internal:8000', 'Connection: close', ...headers];
    const answer = await sendRaw(url, `${head.join('\r\n')}\r\n\r\n`);
    return (
      answer
        .split('\r\n\r\n')[1]
        ?.replace(/^[\da-f]+\r\n/, '')
        .split(/\r\n/)[0] ?? ''
    );
  };

  const LOCAL = ['127.0.0.0/8'];
  const PROXIES = ['127.0.0.1', '10.0.0.0/8', 'fd00::/8'];
  const cases: [trust: TrustProxy, header: string | undefined, expected: string][] = [
    // No trusted proxy: the header is ignored.
    [0, undefined, '127.0.0.1'],
    [0, '203.0.113.5', '127.0.0.1'],
    [0, '127.0.0.1, 10.0.0.1', '127.0.0.1'],
    [['10.0.0.0/8'], '203.0.113.5', '127.0.0.1'],
    [['10.0.0.0/8'], '203.0.113.5, 10.0.0.1', '127.0.0.1'],
    // One trusted proxy: the entry that it appended counts, and nothing before it.
    [1, undefined, '127.0.0.1'],
    [1, '203.0.113.5', '203.0.113.5'],
    [1, '6.6.6.6, 203.0.113.5', '203.0.113.5'],
    [1, '127.0.0.1, 6.6.6.6, 203.0.113.5', '203.0.113.5'],
    [LOCAL, '203.0.113.5', '203.0.113.5'],
    [LOCAL, '6.6.6.6, 203.0.113.5', '203.0.113.5'],
    [LOCAL, '127.0.0.1, 203.0.113.5', '203.0.113.5'],
    // Several trusted proxies.
    [2, '6.6.6.6, 203.0.113.5, 10.0.0.2', '203.0.113.5'],
    [2, '203.0.113.5', '203.0.113.5'],
    [PROXIES, '6.6.6.6, 203.0.113.5, 10.0.0.2, 10.9.9.9', '203.0.113.5'],
    [PROXIES, '10.6.6.6, 203.0.113.5, 10.0.0.2', '203.0.113.5'],
    [PROXIES, '6.6.6.6, 2001:db8::5, fd00::2', '2001:db8::5'],
    [PROXIES, '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    // Different spellings of one address.
    [LOCAL, '::ffff:203.0.113.5', '203.0.113.5'],
    [LOCAL, '0:0:0:0:0:ffff:cb00:7105', '203.0.113.5'],
    [PROXIES, '203.0.113.5, ::ffff:10.0.0.2', '203.0.113.5'],
    [['127.0.0.1', '::ffff:10.0.0.0/104'], '203.0.113.5, 10.0.0.2', '203.0.113.5'],
    [LOCAL, '2001:DB8:0:0:0:0:0:5', '2001:db8::5'],
    [LOCAL, 'fe80::5%eth0', 'fe80::5'],
    [LOCAL, '203.0.113.5:4711', '203.0.113.5'],
    [LOCAL, '[2001:db8::5]:4711', '2001:db8::5'],
    [LOCAL, '[2001:db8::5]', '2001:db8::5'],
    [LOCAL, ' \t203.0.113.5 ', '203.0.113.5'],
    // An entry that is not an address ends the walk at the last trusted one.
    ...[
      '',
      ',',
      'unknown',
      '_hidden',
      '6.6.6.6,',
      '6.6.6.6, unknown',
      '203.0.113',
      '203.0.113.05',
      '203.0.113.5 6.6.6.6',
      '203.0.113.5%eth0',
      '3405803781',
      '0xcb007105',
      'for=203.0.113.5',
      '[203.0.113.5',
      '2001:db8::5]',
      '::ffff:203.0.113.555',
      'a'.repeat(8000),
      ','.repeat(8000),
    ].map((header): [TrustProxy, string, string] => [LOCAL, header, '127.0.0.1']),
    [PROXIES, '6.6.6.6, unknown, 10.0.0.2', '10.0.0.2'],
    [3, '6.6.6.6, unknown, 10.0.0.2', '10.0.0.2'],
  ];
  for (const [given, header, expected] of cases) {
    const shown = header === undefined ? 'absent' : JSON.stringify(header.slice(0, 60));
    it(`is ${expected} with trusted proxies ${JSON.stringify(given)} and X-Forwarded-For ${shown}`, async () => {
      trust = given;
      const headers = header === undefined ? [] : [`X-Forwarded-For: ${header}`];
      expect((await seen(...headers)).split(' ')[0]).to.equal(expected);
    });
  }

  it('is the same when the header is sent in parts', async () => {
    trust = 1;
    const answer = await seen('X-Forwarded-For: 6.6.6.6', 'X-Forwarded-For: 203.0.113.5');
    expect(answer.split(' ')[0]).to.equal('203.0.113.5');
  });

  it('comes with the requested host, or with the forwarded one when the nearest proxy is trusted', async () => {
    const header = 'X-Forwarded-Host: forged.example.com, app.example.com';
    for (const [given, expected] of [
      [0, 'rollcall.internal:8000'],
      [['10.0.0.0/8'], 'rollcall.internal:8000'],
      [1, 'app.example.com'],
      [LOCAL, 'app.example.com'],
    ] as [TrustProxy, string][]) {
      trust = given;
      expect((await seen(header)).split(' ')[1], `${given}`).to.equal(expected);
    }
    expect((await seen()).split(' ')[1]).to.equal('rollcall.internal:8000');
    expect((await seen('X-Forwarded-Host: ')).split(' ')[1]).to.equal('rollcall.internal:8000');
  });
});

describe('an IP address', () => {
  it('is counted by itself for IPv4 and by its /64 for IPv6', () => {
    for (const [address, network] of [
      ['203.0.113.5', '203.0.113.5'],
      ['::ffff:203.0.113.5', '203.0.113.5'],
      ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
      ['2001:db8:1:2::', '2001:db8:1:2::/64'],
      ['2001:0DB8:0001:0002:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
      ['2001:db8::1', '2001:db8:0:0::/64'],
      ['2001:db8::1:0:0:1', '2001:db8:0:0::/64'],
      ['1::', '1:0:0:0::/64'],
      ['::1', '0:0:0:0::/64'],
      ['::', '0:0:0:0::/64'],
      ['fe80::1%eth0', 'fe80:0:0:0::/64'],
      ['64:ff9b::203.0.113.5', '64:ff9b:0:0::/64'],
    ] as const) {
      expect(networkOf(canonicalAddress(address) ?? ''), address).to.equal(network);
    }
  });

  it('of another /64 is counted separately', () => {
    expect(networkOf('2001:db8:1:3::1')).not.to.equal(networkOf('2001:db8:1:2::1'));
  });
});
