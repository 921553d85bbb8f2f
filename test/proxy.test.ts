import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { TLS } from './support/certificate.ts';
import { createMigratedDatabase, type TestDatabase } from './support/database.ts';
import { type ForwardProxy, startForwardProxy } from './support/forward-proxy.ts';
import { runDirectory } from './support/run-directory.ts';
import { type ServerProcess, startServer } from './support/server-process.ts';
import { type Receiver, startReceiver, WEBHOOK_SECRET } from './support/webhooks.ts';

const AUDIENCE = 'https://rollcall.example.com';

describe('a server behind HTTPS_PROXY', function () {
  this.timeout(120_000);

  let database: TestDatabase;
  let proxy: ForwardProxy;
  let receiver: Receiver;
  let provider: ReturnType<typeof createServer>;
  let server: ServerProcess;
  let token: string;
  /** What the proxy is asked for: the provider, and the receiver. */
  let hosts: [provider: string, receiver: string];

  beforeEach(async () => {
    database = await createMigratedDatabase();
    proxy = await startForwardProxy();
    receiver = await startReceiver(TLS);
    const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
    const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'a', alg: 'RS256' }] };
    provider = createServer(TLS, (_, response) => response.end(JSON.stringify(keys))).listen(0, '127.0.0.1');
    await once(provider, 'listening');
    hosts = [
      `localhost:${(provider.address() as AddressInfo).port}`,
      new URL(receiver.url).host.replace('127.0.0.1', 'localhost'),
    ];
    token = await new SignJWT({ email: 'ada@example.com' })
      .setProtectedHeader({ alg: 'RS256', kid: 'a' })
      .setIssuer(`https://${hosts[0]}`)
      .setAudience(AUDIENCE)
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey);
  });

  afterEach(async () => {
    await server.end('SIGKILL');
    await receiver.stop();
    await proxy.close();
    provider.close();
    provider.closeAllConnections();
    await database.drop();
  });

  const start = async (env: NodeJS.ProcessEnv) => {
    const authority = join(runDirectory(), `proxy-${process.pid}.pem`);
    await writeFile(authority, TLS.cert);
    server = startServer({
      DATABASE_URL: database.url,
      INITIAL_ADMINS: 'ada@example.com',
      NODE_EXTRA_CA_CERTS: authority,
      AUTH_ISSUER: `https://${hosts[0]}`,
      AUTH_JWKS_URL: `https://${hosts[0]}/jwks`,
      AUTH_AUDIENCE: AUDIENCE,
      WEBHOOKS: JSON.stringify([{ name: 'hook', url: `https://${hosts[1]}/hook`, secret: WEBHOOK_SECRET }]),
      WEBHOOKS_ALLOW_PRIVATE: 'true',
      ...env,
    });
    return server.ready();
  };
  const signInAndChange = async (address: string) => {
    const response = await fetch(`${address}/v1/me`, {
      method: 'PATCH',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: '{"name":"Ada"}',
    });
    expect(response.status, await response.text()).to.equal(200);
    await receiver.received(1);
  };

  for (const variable of ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY']) {
    it(`fetches the keys of its provider and delivers webhooks through ${variable}`, async () => {
      await signInAndChange(await start({ [variable]: proxy.url }));
      expect(new Set(proxy.asked)).to.deep.equal(new Set(hosts));
    });
  }

  it('asks the hosts in NO_PROXY directly', async () => {
    await signInAndChange(await start({ HTTPS_PROXY: proxy.url, NO_PROXY: `${hosts[0]},example.com` }));
    expect(new Set(proxy.asked)).to.deep.equal(new Set([hosts[1]]));
  });
});
