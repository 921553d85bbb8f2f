import { once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { isPublicAddress, PrivateAddress, publicOnly } from '../../src/security/public-address.ts';

describe('a public address', () => {
  const publicAddresses = [
    '1.1.1.1',
    '8.8.8.8',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '2a00:1450:4001:80b::200e',
    '2001:4860:4860::8888',
    '64:ff9b::8.8.8.8',
  ];
  const otherAddresses = [
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '100.64.0.1',
    '100.127.255.255',
    '127.0.0.1',
    '127.255.255.255',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.1',
    '192.0.2.1',
    '192.168.0.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::7f00:1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:8.8.8.8',
    '64:ff9b::127.0.0.1',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '3fff::1',
    '4000::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    '',
    'localhost',
    '127.1',
    '1.2.3.4.5',
  ];
  for (const address of publicAddresses)
    it(`is ${address}`, () => expect(isPublicAddress(address)).to.equal(true));
  for (const address of otherAddresses)
    it(`is not ${address}`, () => expect(isPublicAddress(address)).to.equal(false));
});

describe('a request with publicOnly', () => {
  let server: http.Server;
  let port: number;
  let connections = 0;

  before(async () => {
    server = http.createServer((_, response) => response.end());
    server.on('connection', () => connections++);
    server.listen(0);
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });

  after(async () => {
    server.close();
    await once(server, 'close');
  });

  const hosts = [
    'localhost',
    '127.0.0.1',
    '127.1',
    '0x7f.0.0.1',
    '2130706433',
    '0.0.0.0',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::]',
  ];
  for (const [protocol, client] of Object.entries({ http, https })) {
    for (const host of hosts) {
      it(`does not connect to ${protocol}://${host}, with and without an agent`, async () => {
        const url = new URL(`${protocol}://${host}:${port}/`);
        for (const agent of [undefined, false, new client.Agent({ keepAlive: true })] as const) {
          const error = await new Promise((resolve) => {
            try {
              client.get(url, { ...publicOnly(url), agent }, resolve).on('error', resolve);
            } catch (thrown) {
              resolve(thrown);
            }
          });
          expect(error).to.be.instanceOf(PrivateAddress);
          expect((error as Error).message).to.match(/^\S+ (is|has) a private address/);
        }
        expect(connections).to.equal(0);
      });
    }
  }

  it('fails with the error of the system if the name does not resolve', async () => {
    const url = new URL('http://nowhere.invalid/');
    const [error] = await once(http.get(url, publicOnly(url)), 'error').catch((thrown) => [thrown]);
    expect(error.message).to.match(/^getaddrinfo \w+ nowhere\.invalid$/);
  });
});
