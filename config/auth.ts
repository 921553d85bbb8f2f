import type { ProviderIssuer } from './issuers.ts';

/** Whose tokens are taken, and what is read in them. */
export interface AuthSettings {
  /** `null`: one is made and kept in `dataDir`. Never in production. */
  readonly secret: string | null;
  readonly secret1: string | null;
  readonly secret2: string | null;
  readonly secret3: string | null;
  /** `null`: Auth.js's own two names. */
  readonly cookieName: string | null;
  /** The claim that has the email. */
  readonly emailClaim: string;
  /** As the `iss` claim has it, to the letter. */
  readonly issuer: string | null;
  readonly jwksUrl: string | null;
  /** Not `null` where there is an `issuer` or a `jwksUrl`. */
  readonly audience: readonly string[] | null;
  /** More of them, each with its own audience. */
  readonly issuers: readonly ProviderIssuer[];
}

const EXAMPLE_SECRET = 'replace-me-with-openssl-rand-base64-48';

/** The settings of sign-ins, as `schemaFor` says. */
export function authSchema(production: boolean, { AUTH_ISSUER, AUTH_JWKS_URL }: NodeJS.Dict<string>) {
  const secret = { format: 'secret', default: null, refusePlaceholders: production, sensitive: true };
  const olderSecret = { ...secret, nullable: true, example: EXAMPLE_SECRET };
  const url = { format: 'provider-url', default: null, nullable: true, httpsOnly: production };
  return {
    secret: {
      doc: 'The key of the tokens, 32 bytes or more. Required in production; elsewhere one is made, in DATA_DIR.',
      ...secret,
      nullable: !production,
      env: 'AUTH_SECRET',
      example: EXAMPLE_SECRET,
    },
    secret1: {
      doc: 'A second secret, to change from one to another; the highest number is the newest, which signs.',
      ...olderSecret,
      env: 'AUTH_SECRET_1',
    },
    secret2: { doc: 'A third one.', ...olderSecret, env: 'AUTH_SECRET_2' },
    secret3: { doc: 'A fourth one.', ...olderSecret, env: 'AUTH_SECRET_3' },
    cookieName: {
      doc: "The name of the session cookie, if it is not one of Auth.js's two.",
      format: 'cookie-name',
      default: null,
      nullable: true,
      env: 'AUTH_COOKIE_NAME',
      example: '__Secure-authjs.session-token',
    },
    emailClaim: {
      doc: 'The claim of a token that has the email.',
      format: 'claim',
      default: 'email',
      env: 'AUTH_EMAIL_CLAIM',
    },
    issuer: {
      doc: "An OpenID Connect issuer, exactly as its tokens' iss has it; its discovery document names its keys.",
      ...url,
      env: 'AUTH_ISSUER',
      example: 'https://id.example.com/realms/main',
    },
    jwksUrl: {
      doc: 'Where the keys are (a JSON Web Key Set), in place of the discovery document.',
      ...url,
      mayHaveQuery: true,
      env: 'AUTH_JWKS_URL',
      example: 'https://id.example.com/jwks.json',
    },
    audience: {
      doc: 'What the tokens of AUTH_ISSUER or AUTH_JWKS_URL must have as aud: one of these, separated by commas.',
      format: 'audience',
      default: null,
      nullable: !AUTH_ISSUER && !AUTH_JWKS_URL,
      env: 'AUTH_AUDIENCE',
      example: 'https://api.example.com',
    },
    issuers: {
      doc: 'More issuers, as a JSON array of {issuer, audience, jwksUrl?, emailClaim?}.',
      format: 'issuers',
      default: [],
      besides: AUTH_ISSUER,
      httpsOnly: production,
      env: 'AUTH_ISSUERS',
      example: '[{"issuer":"https://id.example.com","audience":"https://api.example.com"}]',
    },
  };
}
