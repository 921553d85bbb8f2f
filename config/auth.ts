import type { ProviderIssuer } from './issuers.ts';

/** Sign-in settings: which tokens Rollcall accepts, and the claims that it reads. */
export interface AuthSettings {
  /** `null`: Rollcall generates one and stores it in `dataDir`. Never `null` in production. */
  readonly secret: string | null;
  readonly secret1: string | null;
  readonly secret2: string | null;
  readonly secret3: string | null;
  /** `null`: both standard Auth.js names. */
  readonly cookieName: string | null;
  /** Claim that holds the email. */
  readonly emailClaim: string;
  /** Must equal the `iss` claim exactly. */
  readonly issuer: string | null;
  readonly jwksUrl: string | null;
  /** Accepted `aud` values. Never `null` when `issuer` or `jwksUrl` is set. */
  readonly audience: readonly string[] | null;
  /** Further issuers, each with its own audience. */
  readonly issuers: readonly ProviderIssuer[];
}

const EXAMPLE_SECRET = 'replace-me-with-openssl-rand-base64-48';

/** The `auth` part of `schemaFor`. */
export function authSchema(production: boolean, { AUTH_ISSUER, AUTH_JWKS_URL }: NodeJS.Dict<string>) {
  const secret = { format: 'secret', default: null, refusePlaceholders: production, sensitive: true };
  const additionalSecret = { ...secret, nullable: true, example: EXAMPLE_SECRET };
  const url = { format: 'provider-url', default: null, nullable: true, httpsOnly: production };
  return {
    secret: {
      doc: 'Secret of HS256 tokens and Auth.js sessions, at least 32 bytes. Required in production; otherwise generated in DATA_DIR.',
      ...secret,
      nullable: !production,
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
      doc: 'Name of the session cookie. Default: both standard Auth.js names.',
      format: 'cookie-name',
      default: null,
      nullable: true,
      env: 'AUTH_COOKIE_NAME',
      example: '__Secure-authjs.session-token',
    },
    emailClaim: {
      doc: 'Token claim that holds the email.',
      format: 'claim',
      default: 'email',
      env: 'AUTH_EMAIL_CLAIM',
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
      doc: 'Accepted aud values of tokens, separated by commas. Required with AUTH_ISSUER or AUTH_JWKS_URL.',
      format: 'audience',
      default: null,
      nullable: !AUTH_ISSUER && !AUTH_JWKS_URL,
      env: 'AUTH_AUDIENCE',
      example: 'https://api.example.com',
    },
    issuers: {
      doc: 'Further issuers, as a JSON array of {issuer, audience, jwksUrl?, emailClaim?}.',
      format: 'issuers',
      default: [],
      primaryIssuer: AUTH_ISSUER,
      httpsOnly: production,
      env: 'AUTH_ISSUERS',
      example: '[{"issuer":"https://id.example.com","audience":"https://api.example.com"}]',
    },
  };
}
