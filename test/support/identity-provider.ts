import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import Provider from 'oidc-provider';

/** The audience of the provider's tokens. */
export const AUDIENCE = 'https://rollcall.example.com';

const CLIENT = { client_id: 'app', client_secret: 'the secret of the app' };
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'] as const;

const nothing = async () => undefined;
/** An adapter that stores nothing: the tokens are self-contained. */
const NO_STORE = {
  upsert: nothing,
  find: nothing,
  findByUserCode: nothing,
  findByUid: nothing,
  consume: nothing,
  destroy: nothing,
  revokeByGrantId: nothing,
};

/** A real OpenID Connect provider on loopback, from `oidc-provider`. */
export interface IdentityProvider {
  readonly issuer: string;
  readonly jwksUrl: string;
  /** The paths of its GET requests so far. */
  readonly asked: string[];
  /** Gets an access token from its token endpoint, with these extra claims, by default Ada's. */
  token(options?: { alg?: (typeof ALGORITHMS)[number]; claims?: Record<string, unknown> }): Promise<string>;
  /** Replaces its keys. */
  rotate(): Promise<void>;
  goDown(): Promise<void>;
  /** Listens again at the same address, with the same keys. */
  comeBack(): Promise<void>;
  close(): Promise<void>;
}

/** Starts an identity provider. */
export async function startIdentityProvider(): Promise<IdentityProvider> {
  let server: Server;
  let port = 0;
  let handle: RequestListener = () => undefined;
  let signing: { alg: string; claims: Record<string, unknown> };
  let generation = 0;
  const asked: string[] = [];

  const listen = async () => {
    server = createServer((request, response) => {
      if (request.method === 'GET') asked.push(request.url ?? '');
      handle(request, response);
    }).listen(port, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  };
  const goDown = async () => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  const rotate = async () => {
    generation++;
    const keys = await Promise.all(ALGORITHMS.map((alg) => privateKey(alg, `${alg}-${generation}`)));
    const provider = new Provider(issuer, {
      jwks: { keys },
      clients: [
        {
          ...CLIENT,
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
          token_endpoint_auth_method: 'client_secret_post',
        },
      ],
      adapter: () => NO_STORE,
      extraTokenClaims: () => signing.claims,
      ttl: { ClientCredentials: 3600 },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: () => ({
            scope: '',
            audience: AUDIENCE,
            accessTokenFormat: 'jwt',
            accessTokenTTL: 3600,
            jwt: { sign: { alg: signing.alg as 'RS256' } },
          }),
        },
      },
    });
    handle = provider.callback();
  };

  await listen();
  const issuer = `http://127.0.0.1:${port}`;
  await rotate();
  return {
    issuer,
    jwksUrl: `${issuer}/jwks`,
    asked,
    async token({ alg = 'RS256', claims = { email: 'ada@example.com', name: 'Ada' } } = {}) {
      signing = { alg, claims };
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        body: new URLSearchParams({ ...CLIENT, grant_type: 'client_credentials', resource: AUDIENCE }),
      });
      const { access_token: token, ...rest } = (await response.json()) as Record<string, string>;
      if (token === undefined) throw new Error(JSON.stringify(rest));
      return token;
    },
    rotate,
    goDown,
    comeBack: listen,
    close: goDown,
  };
}

async function privateKey(alg: string, kid: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), alg, kid, use: 'sig' };
}
