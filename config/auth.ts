import type { ProviderIssuer } from './issuers.ts';

/** Sign-in settings: which tokens Rollcall accepts, and the claims that it reads. */
export interface AuthSettings {
  /** `null`, like the others: Rollcall generates one and stores it in `dataDir`, unless issuers sign people in. */
  readonly secret: string | null;
  readonly secret1: string | null;
  readonly secret2: string | null;
  readonly secret3: string | null;
  /** `null`: both standard Auth.js names. */
  readonly cookieName: string | null;
  /** The first of these claims that a token has holds the email. */
  readonly emailClaims: readonly string[];
  /** Claims other than `email` whose emails people cannot choose, of secrets and of `issuer`. */
  readonly trustedEmailClaims: readonly string[];
  /** Must equal the `iss` claim exactly. */
  readonly issuer: string | null;
  readonly jwksUrl: string | null;
  /** Accepted `aud` values. `null` only without `issuer` and `jwksUrl`, or with `clients`. */
  readonly audience: readonly string[] | null;
  /** Accepted `client_id` and `azp` values of tokens without an `aud`. */
  readonly clients: readonly string[];
  /** The domains that `issuer` may speak for, in the form of `accessDomain`; empty: any. */
  readonly issuerDomains: readonly string[];
  /** Further issuers, each with its own audience. */
  readonly issuers: readonly ProviderIssuer[];
}

const EXAMPLE_SECRET = 'replace-me-with-openssl-rand-base64-48';

const SECRETS = ['AUTH_SECRET', 'AUTH_SECRET_1', 'AUTH_SECRET_2', 'AUTH_SECRET_3'];

/** The `auth` part of `schemaFor`. */
export function authSchema(production: boolean, texts: NodeJS.Dict<string>) {
  const { AUTH_ISSUER, AUTH_JWKS_URL, AUTH_ISSUERS, AUTH_CLIENTS } = texts;
  const hasIssuer = Boolean(AUTH_ISSUER || AUTH_JWKS_URL);
  const hasSource = [AUTH_ISSUER, AUTH_JWKS_URL, ...SECRETS.map((name) => texts[name])].some(Boolean);
  const hasIssuers = AUTH_ISSUERS !== undefined && AUTH_ISSUERS.trim() !== '[]';
  const secret = { format: 'secret', default: null, refusePlaceholders: production, sensitive: true };
  const additionalSecret = { ...secret, nullable: true, example: EXAMPLE_SECRET };
  const url = { format: 'provider-url', default: null, nullable: true, httpsOnly: production };
  return {
    secret: {
      doc: 'Secret of HS256, HS384 and HS512 tokens and Auth.js sessions, at least 32 bytes. Required in production unless an issuer is set.',
      ...secret,
      nullable: !production || hasSource || hasIssuers,
      env: 'AUTH_SECRET',
      example: EXAMPLE_SECRET,
    },
    secret1: {
      doc: 'Second secret, for rotation. The secret with the highest number is the newest and signs new tokens.',
      ...additionalSecret,
      env: 'AUTH_SECRET_1',
    },
    secret2: { doc: 'Third secret, for rotation.', ...additionalSecret, env: 'AUTH_SECRET_2' },
    secret3: { doc: 'Fourth secret, for rotation.', ...additionalSecret, env: 'AUTH_SECRET_3' },
    cookieName: {
      doc: 'Name of the session cookie. Default: the standard names of Auth.js 5 and NextAuth.js 4.',
      format: 'cookie-name',
      default: null,
      nullable: true,
      env: 'AUTH_COOKIE_NAME',
      example: '__Secure-authjs.session-token',
    },
    emailClaims: {
      doc: 'Token claim that holds the email; of several, separated by commas, the first that a token has.',
      format: 'claims',
      default: ['email'],
      env: 'AUTH_EMAIL_CLAIM',
    },
    trustedEmailClaims: {
      doc: 'Claims other than email whose emails people cannot choose at the provider, separated by commas.',
      format: 'claims',
      mayBeEmpty: true,
      default: [],
      env: 'AUTH_TRUSTED_EMAIL_CLAIMS',
      example: 'preferred_username',
    },
    issuer: {
      doc: 'OpenID Connect issuer, exactly as in the iss claim of its tokens. Its discovery document locates its keys.',
      ...url,
      env: 'AUTH_ISSUER',
      example: 'https://id.example.com/realms/main',
    },
    jwksUrl: {
      doc: 'URL of the JSON Web Key Set. Replaces the discovery document.',
      ...url,
      mayHaveQuery: true,
      env: 'AUTH_JWKS_URL',
      example: 'https://id.example.com/jwks.json',
    },
    audience: {
      doc: 'Accepted aud values of tokens, separated by commas. Required with AUTH_ISSUER or AUTH_JWKS_URL, unless AUTH_CLIENTS is set.',
      format: 'audience',
      default: null,
      nullable: (!AUTH_ISSUER && !AUTH_JWKS_URL) || Boolean(AUTH_CLIENTS?.replace(/[\s,]/g, '')),
      env: 'AUTH_AUDIENCE',
      example: 'https://api.example.com',
    },
    clients: {
      doc: 'Accepted client_id and azp values of the tokens of AUTH_ISSUER that have no aud, separated by commas.',
      format: 'clients',
      hasIssuer,
      default: [],
      env: 'AUTH_CLIENTS',
      example: 'the-client-id-of-the-app',
    },
    issuerDomains: {
      doc: 'Domains whose emails AUTH_ISSUER may speak for, separated by commas. Default: any.',
      format: 'domains',
      isLimit: true,
      hasIssuer,
      default: [],
      env: 'AUTH_ISSUER_DOMAINS',
      example: 'example.com,*.example.com',
    },
    issuers: {
      doc: 'Further issuers, as a JSON array of {issuer, audience, jwksUrl?, clients?, emailClaim?, trustedEmailClaims?, domains?}.',
      format: 'issuers',
      default: [],
      primaryIssuer: AUTH_ISSUER,
      httpsOnly: production,
      env: 'AUTH_ISSUERS',
      example: '[{"issuer":"https://id.example.com","audience":"https://api.example.com"}]',
    },
  };
}
