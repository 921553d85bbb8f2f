import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair } from 'jose';
import Provider, { type Adapter, type AdapterPayload, type ClientMetadata } from 'oidc-provider';

/** Who signs in at the provider next. */
export interface Person {
  readonly sub: string;
  readonly email?: string;
  readonly email_verified?: boolean;
  readonly name?: string;
}

/** A real OpenID Connect provider on loopback that people sign in at, from `oidc-provider`: without asking, everybody agrees. */
export interface PeopleProvider {
  readonly issuer: string;
  readonly port: number;
  /** Whoever signs in next. */
  person: Person;
  /** Registers the client whose answers go to this URI. */
  register(redirectUri: string): void;
  /** The requests so far, as `METHOD /path`. */
  readonly asked: string[];
  /** Walks as a browser does from the authorization URL until the provider sends it back, and returns where to. */
  walk(url: string): Promise<string>;
  close(): Promise<void>;
}

/** The client of the console. */
export const CONSOLE_CLIENT = { clientId: 'console', clientSecret: 'the secret of the console, long enough' };

/** What the provider remembers. */
function memoryAdapter(): Adapter {
  const stored = new Map<string, AdapterPayload>();
  const find = async (matches: (payload: AdapterPayload) => boolean) => [...stored.values()].find(matches);
  return {
    upsert: async (id, payload) => {
      stored.set(id, { ...payload });
    },
    find: async (id) => stored.get(id),
    findByUid: (uid) => find((payload) => payload.uid === uid),
    findByUserCode: (code) => find((payload) => payload.userCode === code),
    consume: async (id) => {
      Object.assign(stored.get(id) ?? {}, { consumed: Math.floor(Date.now() / 1000) });
    },
    destroy: async (id) => {
      stored.delete(id);
    },
    revokeByGrantId: async (grantId) => {
      for (const [id, payload] of stored) if (payload.grantId === grantId) stored.delete(id);
    },
  };
}

/**
 * Starts a provider. `client` overrides how the client is registered, `tellsInToken` puts all claims into ID tokens, `audience` is the API
 * that it makes access tokens for, to pages of any origin, and `host` is a name by which it calls itself, which only a proxy knows.
 */
export async function startPeopleProvider({
  client = {},
  tellsInToken = false,
  audience,
  host,
}: {
  client?: Partial<ClientMetadata>;
  tellsInToken?: boolean;
  audience?: string;
  host?: string;
} = {}): Promise<PeopleProvider> {
  const asked: string[] = [];
  let handle: RequestListener = () => undefined;
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url?.split('?')[0]}`);
    handle(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const local = `http://127.0.0.1:${port}`;
  const issuer = host === undefined ? local : `http://${host}`;
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const key = { ...(await exportJWK(privateKey)), alg: 'RS256', kid: 'one', use: 'sig' };
  const memory = memoryAdapter();
  let person: Person = { sub: 'ada', email: 'ada@example.com', email_verified: true };

  const register = (redirectUri: string) => {
    const provider = new Provider(issuer, {
      jwks: { keys: [key] },
      cookies: { keys: ['a key for the cookies of the provider'] },
      clients: [
        {
          client_id: CONSOLE_CLIENT.clientId,
          client_secret: CONSOLE_CLIENT.clientSecret,
          redirect_uris: [redirectUri],
          ...client,
        },
      ],
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
      conformIdTokenClaims: !tellsInToken,
      adapter: () => memory,
      ttl: { Interaction: 60, Grant: 60, Session: 60, AccessToken: 60, IdToken: 60, AuthorizationCode: 60 },
      clientBasedCORS: () => audience !== undefined,
      extraTokenClaims: () => {
        const { email, email_verified } = person;
        return { email, email_verified };
      },
      features: {
        devInteractions: { enabled: false },
        ...(audience !== undefined && {
          resourceIndicators: {
            enabled: true,
            useGrantedResource: () => true,
            getResourceServerInfo: () => ({
              scope: '',
              audience,
              accessTokenFormat: 'jwt',
              accessTokenTTL: 60,
              jwt: { sign: { alg: 'RS256' } },
            }),
          },
        }),
      },
      interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
      findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ ...person, sub }) }),
      async loadExistingGrant({ oidc }) {
        const { client: known, session } = oidc;
        const grant = new oidc.provider.Grant({
          ...(known && { clientId: known.clientId }),
          ...(session?.accountId && { accountId: session.accountId }),
        });
        grant.addOIDCScope('openid email profile');
        await grant.save();
        return grant;
      },
    });
    const answer = provider.callback();
    handle = (request: IncomingMessage, response: ServerResponse) => {
      if (request.url?.startsWith('/interaction/'))
        provider.interactionFinished(request, response, { login: { accountId: person.sub } });
      else answer(request, response);
    };
  };

  return {
    issuer,
    port,
    asked,
    register,
    get person() {
      return person;
    },
    set person(next) {
      person = next;
    },
    async walk(start) {
      const cookies = new Map<string, string>();
      let url = start.replace(issuer, local);
      for (let steps = 0; url.startsWith(local) && steps < 10; steps++) {
        const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
        const response = await fetch(url, { redirect: 'manual', headers: { Cookie: cookie } });
        for (const set of response.headers.getSetCookie()) {
          const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
          cookies.set(name, value);
        }
        const location = response.headers.get('location');
        if (location === null) throw new Error(`${response.status} ${await response.text()}`);
        url = new URL(location, url).href;
      }
      return url;
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
