import type { JWTPayload } from 'jose';
import type * as OpenIdClient from 'openid-client';
import type { Dispatcher } from 'undici';
import { readClaims } from './claims.ts';
import { type Issuer, oidcSource } from './oidc.ts';
import { readBounded } from './provider.ts';
import { type Identity, InvalidToken, ProviderUnavailable } from './token.ts';
import { readTokenForm } from './token-form.ts';
import { DIRECT, type ProxySettings, webClient } from './web-client.ts';

/** How the console signs people in at an OpenID Connect provider. */
export interface ProviderClient {
  /** One of the issuers whose tokens are accepted, with its rules for emails. */
  readonly issuer: Issuer & { readonly issuer: string };
  /** As registered at the provider. */
  readonly clientId: string;
  /** `null`: the provider wants none, and PKCE alone protects the code. */
  readonly clientSecret: string | null;
}

/** The path at which a browser comes back, behind the origin and the base path. */
export const CALLBACK_PATH = '/v1/session/oidc/callback';

/** The settings of {@link providerClientOf}. */
export interface ProviderClientSettings {
  readonly clientId: string | null;
  readonly clientSecret: string | null;
  /** `null`: the first of the issuers that has a name. */
  readonly issuer: string | null;
}

/** The client that the settings configure for one of these issuers; `undefined` where there is none. */
export function providerClientOf(
  { clientId, clientSecret, issuer: chosen }: ProviderClientSettings,
  issuers: readonly Issuer[],
): ProviderClient | undefined {
  if (clientId === null) return undefined;
  const named = issuers.flatMap(({ issuer, ...rest }) => (issuer === null ? [] : [{ issuer, ...rest }]));
  const issuer = chosen === null ? named[0] : named.find((one) => one.issuer === chosen);
  return issuer && { issuer, clientId, clientSecret };
}

/** What a sign-in begins with. */
export interface BegunSignIn {
  /** Where the browser goes. */
  readonly url: string;
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
}

/** An OpenID Connect provider that people sign in at (OpenID Connect Core 1.0, authorization code flow; RFC 9700). */
export interface SignInProvider {
  readonly issuer: string;
  /** Begins a sign-in that comes back to `redirectUri`. Throws {@link ProviderUnavailable}. */
  begin(redirectUri: string): Promise<BegunSignIn>;
  /**
   * Finishes a sign-in: `answer` is the URL that the browser was sent back to. Returns who has signed in, like a token of the same
   * issuer does; an email that counts as unverified says so. Throws {@link InvalidToken} and {@link ProviderUnavailable}.
   */
  finish(answer: URL, begun: Omit<BegunSignIn, 'url'>): Promise<Identity>;
}

/** The dependencies of {@link signInProvider}. */
export interface SignInProviderOptions {
  /** The clock. */
  readonly now?: () => Date;
  readonly proxy?: ProxySettings;
  /** Called when the provider has failed to answer. */
  readonly onFailure?: (error: Error) => void;
}

/** Time limit for each request to the provider, in seconds. */
const TIMEOUT_SECONDS = 5;

/** How long the provider's description of itself is used, in milliseconds. */
const FRESH_MS = 10 * 60_000;

/** How long a failure to fetch it is shared, in milliseconds. */
const COOL_DOWN_MS = 5_000;

/** What callers are told to wait for a provider that does not answer, in seconds. */
const RETRY_AFTER_SECONDS = 5;

/**
 * Creates the client of a provider. It contacts the provider, through the `proxy`, when somebody signs in. `state`, `nonce`, PKCE and the
 * `iss` of the answer (RFC 9207) are checked here; the ID token is verified as the tokens of the same issuer are, but for its audience,
 * which is this client.
 */
export function signInProvider(
  { issuer: known, clientId, clientSecret }: ProviderClient,
  { now = () => new Date(), proxy = DIRECT, onFailure = () => undefined }: SignInProviderOptions = {},
): SignInProvider {
  const { issuer } = known;
  const source = oidcSource(
    { ...known, audience: [clientId], clients: [] },
    { now, proxy, onChange: () => undefined, onFailure },
  );
  let described: { readonly server: OpenIdClient.ServerMetadata; readonly at: number } | undefined;
  let failed: { readonly error: unknown; readonly at: number } | undefined;
  let asking: Promise<OpenIdClient.ServerMetadata> | undefined;
  // A clock that was set back must not make anything look recent.
  const isWithin = (ms: number, at: number) => now().getTime() >= at && now().getTime() - at < ms;

  /** Does something with the provider, over connections that end with it: the next sign-in is minutes away. */
  const reach = async <T>(
    work: (library: typeof OpenIdClient, exchange: Exchange) => Promise<T>,
  ): Promise<T> => {
    const library = await import('openid-client');
    const dispatcher = await webClient(proxy);
    try {
      return await work(library, exchangeOf(library, dispatcher, new URL(issuer)));
    } catch (error) {
      throw asRefusal(library, error, onFailure);
    } finally {
      dispatcher.destroy().catch(() => undefined);
    }
  };
  const ask = () =>
    reach(async (library, { options }) => {
      const timeout = TIMEOUT_SECONDS;
      const none = library.None();
      const found = await library.discovery(new URL(issuer), clientId, undefined, none, {
        ...options,
        timeout,
      });
      const server = found.serverMetadata();
      // Some providers describe another issuer than the one that was asked for, and the library lets them.
      if (server.issuer === issuer) return server;
      throw new Error(`the provider calls itself ${server.issuer}, not ${issuer}`);
    });
  /**
   * The provider's description of itself. Whoever asks for it at the same time shares the answer, and its failure for a while: anybody
   * may begin a sign-in. What is known stays in use while the provider is down.
   */
  const describe = async () => {
    if (described !== undefined && isWithin(FRESH_MS, described.at)) return described.server;
    if (failed === undefined || !isWithin(COOL_DOWN_MS, failed.at)) {
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      try {
        described = { server: await asking, at: now().getTime() };
        failed = undefined;
      } catch (error) {
        failed = { error, at: now().getTime() };
      }
    }
    if (described === undefined) throw failed?.error;
    return described.server;
  };

  return {
    issuer,
    async begin(redirectUri) {
      const server = await describe();
      return reach(async (library, exchange) => {
        const [configuration] = configurationsOf(library, exchange, server, { clientId, clientSecret });
        const [state, nonce, codeVerifier] = [
          library.randomState(),
          library.randomNonce(),
          library.randomPKCECodeVerifier(),
        ];
        const url = library.buildAuthorizationUrl(configuration, {
          redirect_uri: redirectUri,
          scope: 'openid email profile',
          state,
          nonce,
          code_challenge: await library.calculatePKCECodeChallenge(codeVerifier),
          code_challenge_method: 'S256',
        });
        return { url: url.href, state, nonce, codeVerifier };
      });
    },
    async finish(answer, { state, nonce, codeVerifier }) {
      const server = await describe();
      return reach(async (library, exchange) => {
        const configurations = configurationsOf(library, exchange, server, { clientId, clientSecret });
        const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: codeVerifier };
        const [tokens, configuration] = await withEach(configurations, (one) =>
          // Which changes what it is given.
          library.authorizationCodeGrant(one, new URL(answer), { ...checks }),
        );
        const idToken = tokens.id_token ?? '';
        const claims = await source.check(idToken, readTokenForm(idToken).header);
        const complete = known.emails.claims.some((name) => claims[name])
          ? claims
          : await withUserInfo(library, configuration, claims, tokens.access_token);
        const [identity] = readClaims(complete, source, now());
        return identity;
      });
    },
  };
}

interface Exchange {
  readonly options: OpenIdClient.DiscoveryRequestOptions;
  prepare(configuration: OpenIdClient.Configuration): OpenIdClient.Configuration;
}

/** How the library makes its requests: through the proxy, with bounded answers, and over plain HTTP only where the issuer is. */
function exchangeOf(library: typeof OpenIdClient, dispatcher: Dispatcher, issuer: URL): Exchange {
  const isPlain = issuer.protocol === 'http:';
  const customFetch: OpenIdClient.CustomFetch = async (url, options) => {
    const { default: undici } = await import('undici');
    const response = await undici.fetch(url, { ...options, dispatcher } as Parameters<
      typeof undici.fetch
    >[1]);
    const body = await readBounded(response);
    const { status, statusText } = response;
    const headers = new Headers([...response.headers] as [string, string][]);
    return new Response(body.length > 0 ? body : null, { status, statusText, headers });
  };
  return {
    options: {
      [library.customFetch]: customFetch,
      ...(isPlain && { execute: [library.allowInsecureRequests] }),
    },
    prepare(configuration) {
      configuration[library.customFetch] = customFetch;
      configuration.timeout = TIMEOUT_SECONDS;
      if (isPlain) library.allowInsecureRequests(configuration);
      return configuration;
    },
  };
}

/** The client in each way to show its secret that the provider knows: which of them it was registered with, only an attempt tells. */
function configurationsOf(
  library: typeof OpenIdClient,
  exchange: Exchange,
  server: OpenIdClient.ServerMetadata,
  { clientId, clientSecret }: Pick<ProviderClient, 'clientId' | 'clientSecret'>,
): [OpenIdClient.Configuration, ...OpenIdClient.Configuration[]] {
  const create = (auth: OpenIdClient.ClientAuth) =>
    exchange.prepare(new library.Configuration(server, clientId, undefined, auth));
  if (clientSecret === null) return [create(library.None())];
  const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  const [basic, post] = [library.ClientSecretBasic(clientSecret), library.ClientSecretPost(clientSecret)];
  if (!methods.includes('client_secret_basic')) return [create(post)];
  return [create(basic), ...(methods.includes('client_secret_post') ? [create(post)] : [])];
}

/** Tries one configuration after the other while the provider does not recognise the client: the code is good for another attempt. */
async function withEach<T>(
  configurations: readonly OpenIdClient.Configuration[],
  attempt: (configuration: OpenIdClient.Configuration) => Promise<T>,
): Promise<[T, OpenIdClient.Configuration]> {
  let failure: unknown;
  for (const configuration of configurations) {
    try {
      return [await attempt(configuration), configuration];
    } catch (error) {
      failure = error;
      if ((error as { error?: unknown }).error !== 'invalid_client') break;
    }
  }
  throw failure;
}

/** The claims of an ID token, with those that the provider tells only when it is asked (OpenID Connect Core, section 5.4). */
async function withUserInfo(
  library: typeof OpenIdClient,
  configuration: OpenIdClient.Configuration,
  claims: JWTPayload,
  accessToken: string,
): Promise<JWTPayload> {
  if (configuration.serverMetadata().userinfo_endpoint === undefined) return claims;
  const told = await library.fetchUserInfo(configuration, accessToken, `${claims.sub}`);
  // What is signed counts.
  return { ...(told as JWTPayload), ...claims };
}

/** Codes of the library for an answer that is not the one to this sign-in: of another state, nonce, issuer, audience or time. */
const INVALID_CODES: readonly (string | undefined)[] = [
  'OAUTH_INVALID_RESPONSE',
  'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
  'OAUTH_JWT_TIMESTAMP_CHECK_FAILED',
];

/** What an error means to whoever signs in: the answer is not valid, or the provider does not do its part. */
function asRefusal(
  library: typeof OpenIdClient,
  error: unknown,
  onFailure: (error: Error) => void,
): InvalidToken | ProviderUnavailable {
  if (error instanceof InvalidToken || error instanceof ProviderUnavailable) return error;
  const { message, cause, code } = error as Error & { code?: string };
  const reason = cause instanceof Error ? `${message}: ${cause.message}` : message;
  const isInvalid =
    error instanceof library.AuthorizationResponseError ||
    (error instanceof library.ResponseBodyError && error.error === 'invalid_grant') ||
    (error instanceof library.ClientError && INVALID_CODES.includes(code));
  if (isInvalid) return new InvalidToken(`the sign-in at the provider failed: ${reason}`, { cause: error });
  const failure = new Error(reason, { cause: error });
  onFailure(failure);
  return new ProviderUnavailable(RETRY_AFTER_SECONDS, { isKeyUnknown: false, cause: failure });
}
