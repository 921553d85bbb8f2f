import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { fetchKeys } from '../../src/security/provider.ts';
import { refusalOf } from '../support/problem.ts';

const KEYS = { keys: [{ kty: 'EC', kid: 'a' }] };

/** Made before: a provider has five seconds to answer. */
const BOMB = gzipSync(Buffer.alloc(64 * 1024 * 1024));

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
  const failureOf = async (location: Parameters<typeof fetchKeys>[0]) =>
    ((await refusalOf(fetchKeys(location))) as Error | undefined)?.message;

  it('has its keys found through its discovery document', async () => {
    expect(await fetchKeys({ issuer: origin, jwksUrl: null })).to.deep.equal(KEYS);
    expect(asked).to.deep.equal(['/.well-known/openid-configuration', '/keys']);
  });

  it('is named in errors without the query of its URL, which may hold an API key', async () => {
    const failure = await failureOf({ issuer: null, jwksUrl: `${origin}/nowhere?key=hunter2` });
    expect(failure).to.equal(`${origin}/nowhere: the response status is 404`);
  });

  it('may have a path and a final slash', async () => {
    for (const issuer of [`${origin}/realms/main`, `${origin}/realms/main/`]) {
      const document = json({ issuer, jwks_uri: `${origin}/keys` });
      paths['/realms/main/.well-known/openid-configuration'] = document;
      expect(await fetchKeys({ issuer, jwksUrl: null })).to.deep.equal(KEYS);
    }
  });

  it('is not asked for a discovery document if the URL of its keys is configured', async () => {
    for (const issuer of [null, origin]) {
      expect(await fetchKeys({ issuer, jwksUrl: `${origin}/keys` })).to.deep.equal(KEYS);
    }
    expect(asked).to.deep.equal(['/keys', '/keys']);
  });

  const documents: [defect: string, document: (origin: string) => unknown, reason: string][] = [
    ['of another issuer', (at) => ({ issuer: `${at}/`, jwks_uri: `${at}/keys` }), '"issuer" must be http'],
    ['without an issuer', (at) => ({ jwks_uri: `${at}/keys` }), '"issuer" must be http'],
    ['that is null', () => null, '"issuer" must be http'],
    ['that is a string', () => 'https://id.example.com', '"issuer" must be http'],
    ['without keys', (at) => ({ issuer: at }), '"jwks_uri" must be an https URL'],
    [
      'with keys at an invalid URL',
      (at) => ({ issuer: at, jwks_uri: '/keys' }),
      '"jwks_uri" must be an https URL',
    ],
    [
      'with keys in a file',
      (at) => ({ issuer: at, jwks_uri: 'file:///etc/keys' }),
      '"jwks_uri" must be an https URL',
    ],
    [
      'with keys in a list',
      (at) => ({ issuer: at, jwks_uri: [`${at}/keys`] }),
      '"jwks_uri" must be an https URL',
    ],
  ];
  for (const [defect, document, reason] of documents) {
    it(`is refused with a document ${defect}`, async () => {
      paths['/.well-known/openid-configuration'] = json(document(origin));
      expect(await failureOf({ issuer: origin, jwksUrl: null })).to.include(reason);
      expect(asked).to.have.lengthOf(1);
    });
  }

  const responses: [defect: string, respond: RequestListener, reason: RegExp][] = [
    [
      'is missing',
      (_, response) => response.writeHead(404).end('{"keys":[]}'),
      /the response status is 404$/,
    ],
    [
      'is an error',
      (_, response) => response.writeHead(500).end('{"keys":[]}'),
      /the response status is 500$/,
    ],
    ['is a redirect', (_, response) => response.writeHead(302, { Location: '/other' }).end(), /redirect/],
    ['is not JSON', (_, response) => response.end('<html>'), /JSON$/],
    ['is empty', (_, response) => response.end(), /JSON/],
    ['is not UTF-8', (_, response) => response.end(Buffer.from([0x22, 0xff, 0x22])), /not valid/],
    ['is too long', (_, response) => response.end('x'.repeat(128 * 1024 + 1)), /longer than 131072 bytes$/],
    ['never ends', (_, response) => sendForever(response), /longer than 131072 bytes$/],
    [
      'is a decompression bomb',
      (_, response) => response.setHeader('Content-Encoding', 'gzip').end(BOMB),
      /longer than 131072 bytes$/,
    ],
    [
      'breaks off',
      (request, response) =>
        response.writeHead(200, { 'Content-Length': 9 }).write('{', () => request.socket.destroy()),
      /closed|terminated/,
    ],
    ['is a closed connection', (request) => request.socket.destroy(), /closed/],
  ];
  for (const [defect, respond, reason] of responses) {
    it(`is refused if its response ${defect}`, async () => {
      paths['/keys'] = respond;
      paths['/other'] = json(KEYS);
      const failure = await failureOf({ issuer: null, jwksUrl: `${origin}/keys` });
      expect(failure)
        .to.match(reason)
        .and.to.match(/^http:\/\/127\.0\.0\.1:\d+\/keys: /);
      expect(asked).to.deep.equal(['/keys']);
    });
  }

  it('times out if it does not respond, or too slowly', async () => {
    paths['/keys'] = () => undefined;
    paths['/slow'] = (_, response) => {
      const timer = setInterval(() => response.write(' '), 100);
      response.on('close', () => clearInterval(timer));
    };
    const failures = await Promise.all([
      failureOf({ issuer: null, jwksUrl: `${origin}/keys` }),
      failureOf({ issuer: null, jwksUrl: `${origin}/slow` }),
      failureOf({ issuer: origin, jwksUrl: null }),
    ]);
    for (const failure of failures) expect(failure).to.include('timeout');
  });

  it('is reported as unreachable if it refuses the connection', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    other.close();
    await once(other, 'close');
    const failure = await failureOf({ issuer: null, jwksUrl: `http://127.0.0.1:${port}/keys` });
    expect(failure).to.include('ECONNREFUSED');
  });
});

function sendForever(response: Parameters<RequestListener>[1]): void {
  const chunk = ' '.repeat(64 * 1024);
  const more = () => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', more);
  };
  more();
}
