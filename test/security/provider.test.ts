import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { fetchKeys } from '../../src/security/provider.ts';
import { refusalOf } from '../support/problem.ts';

const KEYS = { keys: [{ kty: 'EC', kid: 'a' }] };

describe('an identity provider', () => {
  let server: Server;
  let origin: string;
  let paths: Record<string, RequestListener>;
  let asked: string[];

  before(async () => {
    server = createServer((request, response) => {
      asked.push(request.url ?? '');
      const answer = paths[request.url ?? ''];
      if (answer) answer(request, response);
      else response.writeHead(404).end('{}');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  after(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  });

  beforeEach(() => {
    asked = [];
    paths = {
      '/keys': json(KEYS),
      '/.well-known/openid-configuration': json({ issuer: origin, jwks_uri: `${origin}/keys` }),
    };
  });

  const json =
    (content: unknown): RequestListener =>
    (_, response) =>
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify(content));
  const reasonOf = async (location: Parameters<typeof fetchKeys>[0]) =>
    ((await refusalOf(fetchKeys(location))) as Error | undefined)?.message;

  it('is asked for its keys by way of its discovery document', async () => {
    expect(await fetchKeys({ issuer: origin, jwksUrl: null })).to.deep.equal(KEYS);
    expect(asked).to.deep.equal(['/.well-known/openid-configuration', '/keys']);
  });

  it('is told of without the query of its URL, in which there may be a key', async () => {
    const reason = await reasonOf({ issuer: null, jwksUrl: `${origin}/nowhere?key=hunter2` });
    expect(reason).to.equal(`${origin}/nowhere: the status is 404`);
  });

  it('may have a path, and a slash at its end', async () => {
    for (const issuer of [`${origin}/realms/main`, `${origin}/realms/main/`]) {
      const document = json({ issuer, jwks_uri: `${origin}/keys` });
      paths['/realms/main/.well-known/openid-configuration'] = document;
      expect(await fetchKeys({ issuer, jwksUrl: null })).to.deep.equal(KEYS);
    }
  });

  it('is not asked for a document where the URL of its keys is known', async () => {
    for (const issuer of [null, origin]) {
      expect(await fetchKeys({ issuer, jwksUrl: `${origin}/keys` })).to.deep.equal(KEYS);
    }
    expect(asked).to.deep.equal(['/keys', '/keys']);
  });

  const documents: [what: string, document: (origin: string) => unknown, reason: string][] = [
    ['of another issuer', (at) => ({ issuer: `${at}/`, jwks_uri: `${at}/keys` }), 'of another issuer'],
    ['of nobody', (at) => ({ jwks_uri: `${at}/keys` }), 'of another issuer'],
    ['that is null', () => null, 'of another issuer'],
    ['that is a text', () => 'https://id.example.com', 'of another issuer'],
    ['without keys', (at) => ({ issuer: at }), 'no "jwks_uri" that will do'],
    ['with keys at no URL', (at) => ({ issuer: at, jwks_uri: '/keys' }), 'no "jwks_uri" that will do'],
    [
      'with keys in a file',
      (at) => ({ issuer: at, jwks_uri: 'file:///etc/keys' }),
      'no "jwks_uri" that will do',
    ],
    ['with keys in a list', (at) => ({ issuer: at, jwks_uri: [`${at}/keys`] }), 'no "jwks_uri" that will do'],
  ];
  for (const [what, document, reason] of documents) {
    it(`is refused with a document ${what}`, async () => {
      paths['/.well-known/openid-configuration'] = json(document(origin));
      expect(await reasonOf({ issuer: origin, jwksUrl: null })).to.include(reason);
      expect(asked).to.have.lengthOf(1);
    });
  }

  const answers: [what: string, answer: RequestListener, reason: RegExp][] = [
    ['is missing', (_, response) => response.writeHead(404).end('{"keys":[]}'), /the status is 404$/],
    ['is an error', (_, response) => response.writeHead(500).end('{"keys":[]}'), /the status is 500$/],
    ['is somewhere else', (_, response) => response.writeHead(302, { Location: '/other' }).end(), /redirect/],
    ['is no JSON', (_, response) => response.end('<html>'), /JSON$/],
    ['is empty', (_, response) => response.end(), /JSON/],
    ['is no UTF-8', (_, response) => response.end(Buffer.from([0x22, 0xff, 0x22])), /not valid/],
    ['is too long', (_, response) => response.end('x'.repeat(128 * 1024 + 1)), /more than 131072 bytes$/],
    ['never ends', (_, response) => endless(response), /more than 131072 bytes$/],
    [
      'is small, and a bomb',
      (_, response) =>
        response.setHeader('Content-Encoding', 'gzip').end(gzipSync(Buffer.alloc(64 * 1024 * 1024))),
      /more than 131072 bytes$/,
    ],
    [
      'breaks off',
      (request, response) =>
        response.writeHead(200, { 'Content-Length': 9 }).write('{', () => request.socket.destroy()),
      /closed|terminated/,
    ],
    ['is a closed door', (request) => request.socket.destroy(), /closed/],
  ];
  for (const [what, answer, reason] of answers) {
    it(`is refused when its answer ${what}`, async () => {
      paths['/keys'] = answer;
      paths['/other'] = json(KEYS);
      const told = await reasonOf({ issuer: null, jwksUrl: `${origin}/keys` });
      expect(told)
        .to.match(reason)
        .and.to.match(/^http:\/\/127\.0\.0\.1:\d+\/keys: /);
      expect(asked).to.deep.equal(['/keys']);
    });
  }

  it('is given up when it says nothing, or says it too slowly', async () => {
    paths['/keys'] = () => undefined;
    paths['/slow'] = (_, response) => {
      const timer = setInterval(() => response.write(' '), 100);
      response.on('close', () => clearInterval(timer));
    };
    const told = await Promise.all([
      reasonOf({ issuer: null, jwksUrl: `${origin}/keys` }),
      reasonOf({ issuer: null, jwksUrl: `${origin}/slow` }),
      reasonOf({ issuer: origin, jwksUrl: null }),
    ]);
    for (const reason of told) expect(reason).to.include('timeout');
  });

  it('is told from one that is not there', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    other.close();
    await once(other, 'close');
    const told = await reasonOf({ issuer: null, jwksUrl: `http://127.0.0.1:${port}/keys` });
    expect(told).to.include('ECONNREFUSED');
  });
});

function endless(response: Parameters<RequestListener>[1]): void {
  const chunk = ' '.repeat(64 * 1024);
  const more = () => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', more);
  };
  more();
}
