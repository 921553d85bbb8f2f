import { resolve } from 'node:path';
import { expect } from 'chai';
import { variables } from '../../config/schema.ts';
import { loadSettings, SettingsError } from '../../config/settings.ts';

const SECRET = 'only-for-tests-0123456789-abcdefghij';
const URL_ = 'postgres://app:hunter2@db.internal:5432/app';
const HOOK = {
  url: 'https://crm.example.com/rollcall',
  secret: `whsec_${Buffer.from(SECRET).toString('base64')}`,
};
const PRODUCTION = { ENVIRONMENT: 'production', DATABASE_URL: URL_, AUTH_SECRET: SECRET };

/** Invalid values of AUTH_ISSUERS, and the requirement that each one breaks. */
const INVALID_ISSUERS: [value: string, requirement: string][] = [
  ['https://id.example.com', 'be valid JSON'],
  ['[', 'be valid JSON'],
  [
    '{}',
    'be a JSON array of {issuer, audience, jwksUrl\\?, clients\\?, emailClaim\\?, trustedEmailClaims\\?, domains\\?}; at "": ',
  ],
  ['["https://id.example.com"]', 'be a JSON array of .*; at "0": '],
  ['[{"issuer":"https://id.example.com"}]', 'be a JSON array of .*; at "0.audience": '],
  ['[{"issuer":"https://id.example.com","audience":""}]', 'be a JSON array of .*; at "0.audience": '],
  ['[{"issuer":"https://id.example.com","audience":[]}]', 'be a JSON array of .*; at "0.audience": '],
  [
    '[{"issuer":"https://id.example.com","audience":"web","domains":["https://example.com"]}]',
    'be a JSON array of .*; at "0.domains',
  ],
  ['[{"audience":"web"}]', 'be a JSON array of .*; at "0.issuer": '],
  ['[{"issuer":"https://id.example.com","audience":"web","jwks":"x"}]', 'be a JSON array of .*; at "0": '],
  ['[{"issuer":"id.example.com","audience":"web"}]', 'give each issuer as an https URL'],
  [
    '[{"issuer":"https://id.example.com","audience":"web","jwksUrl":"file:///keys"}]',
    'give each jwksUrl as an https URL',
  ],
  [
    '[{"issuer":"https://id.example.com","audience":"web"},{"issuer":"https://id.example.com","audience":"app"}]',
    'name each issuer once',
  ],
];

/** Invalid URLs of an identity provider. */
const INVALID_URLS = [
  'id.example.com',
  'ftp://id.example.com',
  'https://user:password@id.example.com',
  'https://id.example.com/#fragment',
  'https://id.example.com/ ',
  'https://',
];

function problemsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    loadSettings(env);
    return [];
  } catch (error) {
    expect(error).to.be.instanceOf(SettingsError);
    return (error as SettingsError).problems;
  }
}

describe('settings', () => {
  it('all have a default in development', () => {
    expect(loadSettings({})).to.deep.equal({
      environment: 'development',
      host: '127.0.0.1',
      port: 8000,
      basePath: '',
      publicUrl: null,
      database: { url: null, poolMax: 10, connectTimeoutMs: 3000, statementTimeoutMs: 10_000 },
      replicas: { urls: [], maxLagMs: 10_000 },
      dataDir: resolve('.data'),
      auth: {
        secret: null,
        secret1: null,
        secret2: null,
        secret3: null,
        cookieName: null,
        emailClaims: ['email'],
        trustedEmailClaims: [],
        issuer: null,
        jwksUrl: null,
        audience: null,
        clients: [],
        issuerDomains: [],
        issuers: [],
      },
      console: { enabled: true, clientId: null, clientSecret: null, issuer: null },
      corsOrigins: [],
      corsHeaders: [],
      trustProxy: 0,
      rateLimit: { failures: 30, requests: 600, historyBytes: 16_777_216, store: 'memory' },
      initialAdmins: ['admin@example.com'],
      access: { policy: 'invited', domains: [], emailChanges: 'follow' },
      preferences: { maxBytes: 16_384, schema: null },
      history: { eraseAfterDays: 30, reasonRequired: false },
      dormancy: { suspendAfterDays: 0 },
      webhooks: { hooks: [], allowPrivate: false },
      proxy: { https: null, http: null, except: [] },
      transfers: { atOnce: null, minRate: 8_192, timeoutMs: 1_800_000, maxUploadBytes: 2 ** 30 },
      metrics: { port: null, host: '127.0.0.1' },
      migrateOnBoot: true,
      logLevel: 'info',
      logFormat: 'pretty',
      keepAliveTimeoutMs: 65_000,
      requestTimeoutMs: 30_000,
      shutdownTimeoutMs: 10_000,
      bootTimeoutMs: 60_000,
    });
  });

  it('are read from the environment, each from its variable', () => {
    expect(
      loadSettings({
        ENVIRONMENT: 'test',
        HOST: '::1',
        PORT: '0',
        BASE_PATH: '/apps/rollcall/',
        PUBLIC_URL: 'https://Rollcall.example.com/',
        CONSOLE: 'false',
        CONSOLE_OIDC_CLIENT_ID: 'rollcall-console',
        CONSOLE_OIDC_CLIENT_SECRET: 'a secret of the client',
        CONSOLE_OIDC_ISSUER: 'https://c.example.com',
        DATABASE_URL: URL_,
        DATABASE_POOL_MAX: '2',
        DATABASE_CONNECT_TIMEOUT_MS: '100',
        DATABASE_STATEMENT_TIMEOUT_MS: '2147483647',
        DATABASE_REPLICA_URLS: `${URL_.replace('db', 'one')}, ${URL_.replace('hunter2', 'a,b')},\n${URL_.replace('db', 'one')},`,
        DATABASE_REPLICA_MAX_LAG_MS: '1000',
        DATA_DIR: 'elsewhere',
        AUTH_SECRET: SECRET,
        AUTH_SECRET_1: `${SECRET}1`,
        AUTH_SECRET_2: `${SECRET}2`,
        AUTH_SECRET_3: `${SECRET}3`,
        AUTH_COOKIE_NAME: '__Host-session',
        AUTH_EMAIL_CLAIM: 'https://example.com/email,, upn',
        AUTH_TRUSTED_EMAIL_CLAIMS: 'upn, preferred_username',
        AUTH_CLIENTS: 'web,app',
        AUTH_ISSUER_DOMAINS: 'Example.com, *.bücher.example',
        AUTH_ISSUER: 'https://id.example.com/',
        AUTH_JWKS_URL: 'https://id.example.com/keys?policy=1',
        AUTH_AUDIENCE: ' web,, https://api.example.com ',
        AUTH_ISSUERS: JSON.stringify([
          { issuer: 'https://a.example.com', audience: 'web' },
          {
            issuer: 'http://localhost:9000/realms/b',
            audience: ['web', 'app'],
            jwksUrl: 'http://localhost:9000/keys',
            emailClaim: 'mail, upn',
            trustedEmailClaims: ['upn'],
            domains: 'Bücher.example',
          },
          {
            issuer: 'https://c.example.com',
            clients: 'web',
            emailClaim: ['a', 'b'],
            domains: ['*.example.com'],
          },
        ]),
        CORS_ORIGINS: 'https://app.example.com',
        CORS_HEADERS: ' X-Requested-With,, x-datadog-trace-id ',
        TRUST_PROXY: '10.0.0.0/8',
        RATE_LIMIT_FAILURES: '0',
        RATE_LIMIT_REQUESTS: '1000000',
        RATE_LIMIT_HISTORY_BYTES: '0',
        RATE_LIMIT_STORE: 'database',
        INITIAL_ADMINS: 'ada@example.com',
        ACCESS_POLICY: 'domains',
        ACCESS_DOMAINS: ' Example.com,, *.bücher.example ',
        ACCESS_EMAIL_CHANGES: 'refuse',
        PREFERENCES_MAX_BYTES: '2',
        PREFERENCES_SCHEMA: 'schema.json',
        ERASE_AFTER_DAYS: '0',
        REASON_REQUIRED: 'true',
        SUSPEND_AFTER_DAYS: '365',
        WEBHOOKS: JSON.stringify([HOOK]),
        WEBHOOKS_ALLOW_PRIVATE: 'true',
        HTTPS_PROXY: 'http://me:p%40ss@proxy.example.com:3128',
        HTTP_PROXY: 'proxy.example.com:3128',
        NO_PROXY: 'localhost .internal.example.com,10.0.0.1:8080',
        TRANSFERS_MAX: '1',
        TRANSFER_MIN_RATE: '2',
        TRANSFER_TIMEOUT_MS: '103',
        IMPORT_MAX_BYTES: '3',
        METRICS_PORT: '9464',
        METRICS_HOST: '0.0.0.0',
        MIGRATE_ON_BOOT: 'false',
        LOG_LEVEL: 'silent',
        LOG_FORMAT: 'pretty',
        KEEP_ALIVE_TIMEOUT_MS: '620000',
        REQUEST_TIMEOUT_MS: '103',
        SHUTDOWN_TIMEOUT_MS: '101',
        BOOT_TIMEOUT_MS: '102',
      }),
    ).to.deep.equal({
      environment: 'test',
      host: '::1',
      port: 0,
      basePath: '/apps/rollcall',
      publicUrl: 'https://rollcall.example.com',
      database: { url: URL_, poolMax: 2, connectTimeoutMs: 100, statementTimeoutMs: 2_147_483_647 },
      replicas: {
        urls: [URL_.replace('db', 'one'), URL_.replace('hunter2', 'a,b')],
        maxLagMs: 1000,
      },
      dataDir: resolve('elsewhere'),
      auth: {
        secret: SECRET,
        secret1: `${SECRET}1`,
        secret2: `${SECRET}2`,
        secret3: `${SECRET}3`,
        cookieName: '__Host-session',
        emailClaims: ['https://example.com/email', 'upn'],
        trustedEmailClaims: ['upn', 'preferred_username'],
        issuer: 'https://id.example.com/',
        jwksUrl: 'https://id.example.com/keys?policy=1',
        audience: ['web', 'https://api.example.com'],
        clients: ['web', 'app'],
        issuerDomains: ['example.com', '*.xn--bcher-kva.example'],
        issuers: [
          {
            issuer: 'https://a.example.com',
            audience: ['web'],
            jwksUrl: null,
            clients: [],
            emailClaims: null,
            trustedEmailClaims: [],
            domains: [],
          },
          {
            issuer: 'http://localhost:9000/realms/b',
            audience: ['web', 'app'],
            jwksUrl: 'http://localhost:9000/keys',
            clients: [],
            emailClaims: ['mail', 'upn'],
            trustedEmailClaims: ['upn'],
            domains: ['xn--bcher-kva.example'],
          },
          {
            issuer: 'https://c.example.com',
            audience: [],
            jwksUrl: null,
            clients: ['web'],
            emailClaims: ['a', 'b'],
            trustedEmailClaims: [],
            domains: ['*.example.com'],
          },
        ],
      },
      console: {
        enabled: false,
        clientId: 'rollcall-console',
        clientSecret: 'a secret of the client',
        issuer: 'https://c.example.com',
      },
      corsOrigins: ['https://app.example.com'],
      corsHeaders: ['X-Requested-With', 'x-datadog-trace-id'],
      trustProxy: ['10.0.0.0/8'],
      rateLimit: { failures: 0, requests: 1_000_000, historyBytes: 0, store: 'database' },
      initialAdmins: ['ada@example.com'],
      access: {
        policy: 'domains',
        domains: ['example.com', '*.xn--bcher-kva.example'],
        emailChanges: 'refuse',
      },
      preferences: { maxBytes: 2, schema: resolve('schema.json') },
      history: { eraseAfterDays: 0, reasonRequired: true },
      dormancy: { suspendAfterDays: 365 },
      webhooks: {
        hooks: [
          { name: 'crm.example.com', url: HOOK.url, secrets: [HOOK.secret], actions: null, fields: null },
        ],
        allowPrivate: true,
      },
      transfers: { atOnce: 1, minRate: 2, timeoutMs: 103, maxUploadBytes: 3 },
      metrics: { port: 9464, host: '0.0.0.0' },
      migrateOnBoot: false,
      logLevel: 'silent',
      logFormat: 'pretty',
      proxy: {
        https: 'http://me:p%40ss@proxy.example.com:3128',
        http: 'http://proxy.example.com:3128',
        except: ['localhost', '.internal.example.com', '10.0.0.1:8080'],
      },
      keepAliveTimeoutMs: 620_000,
      requestTimeoutMs: 103,
      shutdownTimeoutMs: 101,
      bootTimeoutMs: 102,
    });
  });

  it('treat an empty variable as unset', () => {
    const empty = Object.fromEntries(variables.map(({ env }) => [env, '']));
    expect(
      loadSettings({ ...empty, AUTH_SECRET_FILE: '', DATABASE_URL_FILE: '', NODE_ENV: '' }),
    ).to.deep.equal(loadSettings({}));
  });

  it('are frozen', () => {
    const settings = loadSettings({
      TRUST_PROXY: '10.0.0.1',
      WEBHOOKS: JSON.stringify([HOOK]),
      AUTH_ISSUERS: '[{"issuer":"https://a.example.com","audience":"web"}]',
    });
    const { database, preferences, rateLimit, corsOrigins, trustProxy, initialAdmins, auth, webhooks } =
      settings;
    const [issuer] = auth.issuers;
    for (const part of [
      settings,
      database,
      preferences,
      rateLimit,
      corsOrigins,
      trustProxy,
      initialAdmins,
      auth,
      auth.issuers,
      issuer,
      issuer?.audience,
      settings.history,
      webhooks,
      webhooks.hooks[0]?.secrets,
    ]) {
      expect(part).to.be.frozen;
    }
  });

  it('ignore the variables of other programs', () => {
    expect(problemsOf({ PROT: '80', PGHOST: 'db', constructor: 'x' })).to.deep.equal([]);
  });

  describe('the environment', () => {
    it('is ENVIRONMENT, else NODE_ENV, else development', () => {
      expect(loadSettings({ ENVIRONMENT: 'test', NODE_ENV: 'development' }).environment).to.equal('test');
      expect(loadSettings({ ENVIRONMENT: '', NODE_ENV: 'test' }).environment).to.equal('test');
      expect(loadSettings({}).environment).to.equal('development');
    });

    it('determines the default host', () => {
      expect(loadSettings({ ENVIRONMENT: 'test' }).host).to.equal('127.0.0.1');
      expect(loadSettings(PRODUCTION).host).to.equal('0.0.0.0');
      expect(loadSettings({ ...PRODUCTION, HOST: '10.0.0.7' }).host).to.equal('10.0.0.7');
    });

    it('has a default admin only in development', () => {
      expect(loadSettings({ ENVIRONMENT: 'test' }).initialAdmins).to.deep.equal([]);
      expect(loadSettings(PRODUCTION).initialAdmins).to.deep.equal([]);
    });
  });

  describe('the initial admins', () => {
    it('are normalized, without blanks and duplicates', () => {
      const { initialAdmins } = loadSettings({
        INITIAL_ADMINS: ' Ada@Example.COM,, grace@example.com ,ada@example.com,\tＡda@example.com,',
      });
      expect(initialAdmins).to.deep.equal(['ada@example.com', 'grace@example.com']);
    });

    it('are empty if the list has only blanks', () => {
      expect(loadSettings({ INITIAL_ADMINS: ' , ,' }).initialAdmins).to.deep.equal([]);
    });
  });

  describe('the origins', () => {
    it('have the form that browsers send, without blanks and duplicates', () => {
      const { corsOrigins } = loadSettings({
        CORS_ORIGINS:
          'HTTPS://App.Example.com:443/,https://app.example.com, http://localhost:3000 ,,https://bücher.example,http://[::1]:80',
      });
      expect(corsOrigins).to.deep.equal([
        'https://app.example.com',
        'http://localhost:3000',
        'https://xn--bcher-kva.example',
        'http://[::1]',
      ]);
    });

    it('may have the schemes of apps in a web view', () => {
      const { corsOrigins } = loadSettings({
        CORS_ORIGINS:
          'tauri://localhost/,http://tauri.localhost,capacitor://localhost,ionic://LOCALHOST,app://-,app://com.example.notes,chrome-extension://abcdefghijklmnop,com.example.app://localhost:8080',
      });
      expect(corsOrigins).to.deep.equal([
        'tauri://localhost',
        'http://tauri.localhost',
        'capacitor://localhost',
        'ionic://localhost',
        'app://-',
        'app://com.example.notes',
        'chrome-extension://abcdefghijklmnop',
        'com.example.app://localhost:8080',
      ]);
    });
  });

  describe('the trusted proxies', () => {
    it('may be a number of proxies', () => {
      expect(loadSettings({ TRUST_PROXY: '2' }).trustProxy).to.equal(2);
    });

    it('may be addresses and networks, without blanks and duplicates', () => {
      expect(
        loadSettings({ TRUST_PROXY: ' 10.0.0.0/8, 192.0.2.7,,fd00::/8,192.0.2.7 ' }).trustProxy,
      ).to.deep.equal(['10.0.0.0/8', '192.0.2.7', 'fd00::/8']);
    });
  });

  describe('accept', () => {
    const good: [name: string, value: string][] = [
      ['HOST', 'localhost'],
      ['HOST', '0.0.0.0'],
      ['HOST', '::'],
      ['HOST', 'my-host.internal.example'],
      ['PORT', '65535'],
      ['DATABASE_URL', 'postgresql://localhost/app'],
      ['DATABASE_URL', 'postgres://app:p%40ss%2Fw%23rd@[::1]:5433/app?sslmode=require'],
      ['DATABASE_URL', 'postgres://app@%2Fvar%2Frun%2Fpostgresql/app'],
      ['DATA_DIR', '/var/lib/rollcall'],
      ['CORS_ORIGINS', ' , '],
      ['TRUST_PROXY', '10'],
      ['TRANSFERS_MAX', '9'],
      ['METRICS_PORT', '0'],
      ['METRICS_PORT', '65535'],
      ['METRICS_HOST', '::1'],
      ['TRUST_PROXY', '::ffff:10.0.0.0/104'],
      ['TRUST_PROXY', '2001:db8::1/128,0.0.0.0/1'],
      ['AUTH_SECRET', 'é'.repeat(16)],
      ['AUTH_SECRET', 'changeme'.repeat(4)],
      ['AUTH_COOKIE_NAME', 'app.session-token'],
      ['AUTH_EMAIL_CLAIM', 'urn:example:email'],
      ['AUTH_ISSUERS', '[]'],
      ...['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'].map((level): [string, string] => [
        'LOG_LEVEL',
        level,
      ]),
      ['LOG_FORMAT', 'json'],
      ['LOG_FORMAT', 'pretty'],
    ];
    for (const [name, value] of good) {
      it(`${name}=${value}`, () => expect(problemsOf({ [name]: value })).to.deep.equal([]));
    }
  });

  describe('refuse', () => {
    const integers = [
      '12abc',
      '1.5',
      '-1',
      '+1',
      '1e3',
      '0x10',
      ' ',
      ' 80',
      '80 ',
      '080',
      '1,000',
      '٣',
      'Infinity',
      '99999999999999999999',
    ];
    const bounds: [name: string, min: number, max: number][] = [
      ['PORT', 0, 65_535],
      ['DATABASE_POOL_MAX', 2, 10_000],
      ['DATABASE_CONNECT_TIMEOUT_MS', 100, 2_147_483_647],
      ['DATABASE_STATEMENT_TIMEOUT_MS', 100, 2_147_483_647],
      ['DATABASE_REPLICA_MAX_LAG_MS', 1_000, 2_147_483_647],
      ['RATE_LIMIT_FAILURES', 0, 1_000_000],
      ['RATE_LIMIT_REQUESTS', 0, 1_000_000],
      ['RATE_LIMIT_HISTORY_BYTES', 0, 1_073_741_824],
      ['ERASE_AFTER_DAYS', 0, 3_650],
      ['SUSPEND_AFTER_DAYS', 0, 3_650],
      ['TRANSFER_MIN_RATE', 1, 2_147_483_647],
      ['TRANSFER_TIMEOUT_MS', 100, 2_147_483_647],
      ['IMPORT_MAX_BYTES', 1, 1_099_511_627_776],
      ['KEEP_ALIVE_TIMEOUT_MS', 100, 2_147_000_000],
      ['SHUTDOWN_TIMEOUT_MS', 100, 2_147_000_000],
      ['BOOT_TIMEOUT_MS', 100, 2_147_000_000],
    ];
    const choices =
      /^(ENVIRONMENT|LOG_FORMAT|LOG_LEVEL|RATE_LIMIT_STORE) must be one of the possible values: \[.+\], not "/;
    const url =
      'DATABASE_URL must be postgres://user:password@host:port/database, with @ : / ? # % in the password percent-encoded (@ as %40)';
    const trust =
      'TRUST_PROXY must be a number of proxies from 0 to 10, or addresses and networks such as 10.0.0.0/8, separated by commas';
    const bad: [name: string, value: string, problem: string | RegExp][] = [
      ['ENVIRONMENT', 'prod', choices],
      ['ENVIRONMENT', 'Production', choices],
      ['LOG_LEVEL', 'INFO', choices],
      ['LOG_LEVEL', 'loud', choices],
      ['LOG_FORMAT', 'JSON', choices],
      ...['0', '10', '-1', '1.5', 'half'].map((value): [string, string, RegExp] => [
        'TRANSFERS_MAX',
        value,
        /^TRANSFERS_MAX must be a whole number from 1 to 9, fewer than DATABASE_POOL_MAX, not /,
      ]),
      // The default of PORT is taken too.
      ...['65536', '-1', '9464.5', 'on', '8000'].map((value): [string, string, RegExp] => [
        'METRICS_PORT',
        value,
        /^METRICS_PORT must be a whole number from 0 to 65535, other than PORT, not /,
      ]),
      [
        'METRICS_HOST',
        'localhost:9464',
        'METRICS_HOST must be an IP address or a host name, not "localhost:9464"',
      ],
      ['RATE_LIMIT_STORE', 'redis', choices],
      ['DATABASE_REPLICA_URLS', URL_, 'DATABASE_REPLICA_URLS must not be set unless DATABASE_URL is'],
      ...['postgres://a,b/app', 'postgres://a/app,b/app'].map((value): [string, string, string] => [
        'DATABASE_REPLICA_URLS',
        value,
        'DATABASE_REPLICA_URLS must be postgres://user:password@host:port/database for each server, separated by commas',
      ]),
      [
        'DATABASE_REPLICA_URLS',
        `${URL_},mysql://app:hunter2@db/app`,
        url.replace('DATABASE_URL', 'DATABASE_REPLICA_URLS'),
      ],
      ...[
        '*',
        'https://*.example.com',
        'https://app.example.com/path',
        'https://app.example.com?',
        'https://app.example.com#',
        'https://me@app.example.com',
        'https://app.example.com\\x',
        'app.example.com',
        'https:app.example.com',
        'ftp://app.example.com',
        'capacitor:localhost',
        'capacitor://',
        'capacitor://localhost/path',
        'capacitor://*',
        'file:///srv',
        'file://localhost',
        'data://x',
        'javascript://x',
        'wss://app.example.com',
        'https://a\tb.example',
        'https://app.example.com:99999',
        'null',
      ].map((value): [string, string, string] => [
        'CORS_ORIGINS',
        `http://localhost:3000,${value}`,
        `CORS_ORIGINS must be origins such as https://app.example.com or tauri://localhost, without a path or a *, separated by commas, not ${JSON.stringify(value.replace('me@', '********@'))}`,
      ]),
      [
        'CORS_HEADERS',
        'X-Fine,not fine',
        'CORS_HEADERS must be header names separated by commas, not "not fine"',
      ],
      ...[
        'true',
        '-1',
        '01',
        '1.5',
        'loopback',
        '10.0.0',
        '10.0.0.0/33',
        '10.0.0.0/08',
        'fd00::/129',
        '0.0.0.0/0',
        '::/0',
        'fe80::1%eth0',
        '10.0.0.0/8/8',
        '10.0.0.1:80',
        '[::1]',
      ].map((value): [string, string, string] => [
        'TRUST_PROXY',
        value,
        `${trust}, not ${JSON.stringify(value)}`,
      ]),
      ['TRUST_PROXY', '10.0.0.0/8, nonsense', `${trust}, not "nonsense"`],
      ['TRUST_PROXY', '11', `${trust}, not 11`],
      ['TRUST_PROXY', ' , ', trust],
      ...['1.2.3', '256.0.0.1', ' ', 'http://localhost', 'localhost:8000', '[::1]', 'a..b'].map(
        (value): [string, string, string] => [
          'HOST',
          value,
          `HOST must be an IP address or a host name, not "${value}"`,
        ],
      ),
      ...[
        'rollcall.example.com',
        'https://rollcall.example.com/path',
        'https://user@rollcall.example.com',
        'app://x',
      ].map((value): [string, string, RegExp] => [
        'PUBLIC_URL',
        value,
        /^PUBLIC_URL must be an https origin without a path/,
      ]),
      ['CONSOLE_OIDC_CLIENT_ID', 'a b', /^CONSOLE_OIDC_CLIENT_ID must be a client id/],
      [
        'CONSOLE_OIDC_CLIENT_ID',
        'web',
        'CONSOLE_OIDC_CLIENT_ID must not be set without an issuer: set AUTH_ISSUER, not "web"',
      ],
      [
        'CONSOLE_OIDC_ISSUER',
        'https://id.example.com',
        'CONSOLE_OIDC_ISSUER must be AUTH_ISSUER or an issuer of AUTH_ISSUERS, not "https://id.example.com"',
      ],
      ['DATA_DIR', ' ', 'DATA_DIR must be the path of a folder, not " "'],
      ...['yes', '1', 'TRUE', ' true'].map((value): [string, string, string] => [
        'WEBHOOKS_ALLOW_PRIVATE',
        value,
        `WEBHOOKS_ALLOW_PRIVATE must be true or false, not "${value}"`,
      ]),
      ['DATABASE_URL', 'app', url],
      ['DATABASE_URL', 'mysql://app:hunter2@db/app', url],
      ['DATABASE_URL', 'postgres:app', url],
      ['DATABASE_URL', 'postgres://app:hunter2@db', url],
      ['DATABASE_URL', 'postgres://app:hunter2@db/', url],
      ['DATABASE_URL', 'postgres:///app', url],
      ['DATABASE_URL', 'postgres://app:hunter2@db:99999/app', url],
      ['DATABASE_URL', 'postgres://app:hun#ter2@db/app', url],
      ['DATABASE_URL', 'postgres://app:12#hunter2@db/app', url],
      ['DATABASE_URL', 'postgres://app:12/hunter2@db/app', url],
      ['DATABASE_URL', 'postgres://app:12?hunter2@db/app', url],
      ['DATABASE_URL', 'postgres://app:hunter2%@db/app', url],
      ['DATABASE_URL', 'postgres://app:hunter2%ff@db/app', url],
      ['DATABASE_URL', 'postgres://app:hunter2 @db/app', url],
      ['AUTH_SECRET', 'changeme', /^AUTH_SECRET must have 32 bytes or more/],
      ['AUTH_SECRET', 'x'.repeat(31), /^AUTH_SECRET must have 32 bytes or more/],
      ['AUTH_SECRET_1', 'x'.repeat(31), /^AUTH_SECRET_1 must have 32 bytes or more/],
      ...['a b', 'a=b', 'a;b', 'session"', 'sitzung-ü'].map((value): [string, string, RegExp] => [
        'AUTH_COOKIE_NAME',
        value,
        /^AUTH_COOKIE_NAME must be a valid cookie name, not /,
      ]),
      [
        'AUTH_EMAIL_CLAIM',
        'e mail',
        'AUTH_EMAIL_CLAIM must be claim names without spaces, separated by commas, not "e mail"',
      ],
      ...['AUTH_CLIENTS', 'AUTH_ISSUER_DOMAINS'].map((name): [string, string, string] => [
        name,
        'example.com',
        `${name} must not be set unless AUTH_ISSUER or AUTH_JWKS_URL is; entries of AUTH_ISSUERS have their own`,
      ]),
      ['AUTH_AUDIENCE', ' , ', 'AUTH_AUDIENCE must be one or more audiences, separated by commas'],
      ...INVALID_ISSUERS.map(([value, requirement]): [string, string, RegExp] => [
        'AUTH_ISSUERS',
        value,
        new RegExp(`^AUTH_ISSUERS must ${requirement}`),
      ]),
      [
        'INITIAL_ADMINS',
        'ada@example.com,Bob',
        'INITIAL_ADMINS must be email addresses separated by commas, not "Bob"',
      ],
      ['INITIAL_ADMINS', 'ada@', 'INITIAL_ADMINS must be email addresses separated by commas, not "ada@"'],
      [
        'INITIAL_ADMINS',
        'a@b.c;d@e.f',
        'INITIAL_ADMINS must be email addresses separated by commas, not "a@b.c;d@e.f"',
      ],
      [
        'INITIAL_ADMINS',
        'x\u2028y, z\tz\nada@example.com',
        'INITIAL_ADMINS must be email addresses separated by commas, not "x\u2028y", "z\\tz"',
      ],
      ['INITIAL_ADMINS', `${'a'.repeat(250)}@example.com`, /^INITIAL_ADMINS must be email addresses/],
    ];
    for (const [name, min, max] of bounds) {
      it(`${name} unless it is a whole number from ${min} to ${max}`, () => {
        for (const value of [...integers, String(min - 1), String(max + 1)]) {
          const [problem, ...others] = problemsOf({ [name]: value });
          expect(problem, value).to.match(
            new RegExp(`^${name} must be a whole number from ${min} to ${max}(, not |$)`),
          );
          expect(others).to.deep.equal([]);
        }
      });
    }

    for (const [name, value, expected] of bad) {
      it(`${name}=${JSON.stringify(value)}`, () => {
        const problems = problemsOf({ [name]: value });
        expect(problems).to.have.lengthOf(1);
        if (typeof expected === 'string') expect(problems[0]).to.equal(expected);
        else expect(problems[0]).to.match(expected);
      });
    }

    for (const value of INVALID_URLS) {
      it(`AUTH_ISSUER and AUTH_JWKS_URL ${JSON.stringify(value)}`, () => {
        for (const [name, without] of [
          ['AUTH_ISSUER', 'user, query or fragment'],
          ['AUTH_JWKS_URL', 'user or fragment'],
        ]) {
          expect(problemsOf({ [`${name}`]: value, AUTH_AUDIENCE: 'web' })).to.deep.equal([
            `${name} must be an https URL without ${without} (http is allowed on this machine and outside production), not ${JSON.stringify(value.replace('user:password', '********'))}`,
          ]);
        }
      });
    }

    it('a URL, without showing the password or the query in it', () => {
      for (const env of [
        { AUTH_ISSUER: 'https://id.example.com/?key=hunter2', AUTH_AUDIENCE: 'web' },
        { AUTH_JWKS_URL: 'ftp://id.example.com/keys?key=hunter2', AUTH_AUDIENCE: 'web' },
        { AUTH_JWKS_URL: 'https://me:hunter2/3@id.example.com/keys', AUTH_AUDIENCE: 'web' },
        { CORS_ORIGINS: 'https://me:hunter2@app.example.com,https://app.example.com/?key=hunter2' },
      ]) {
        const problems = problemsOf(env).join();
        expect(problems).to.include('example.com').and.include('********').and.not.include('hunter2');
      }
    });

    it('an AUTH_ISSUER with a query, which only AUTH_JWKS_URL may have', () => {
      const url = 'https://id.example.com/?x=1';
      expect(problemsOf({ AUTH_ISSUER: url, AUTH_AUDIENCE: 'web' })).to.have.lengthOf(1);
      expect(problemsOf({ AUTH_JWKS_URL: url, AUTH_AUDIENCE: 'web' })).to.deep.equal([]);
    });

    it('an issuer without an audience', () => {
      const problem =
        'AUTH_AUDIENCE must be set when AUTH_ISSUER or AUTH_JWKS_URL is set, unless AUTH_CLIENTS is';
      expect(problemsOf({ AUTH_ISSUER: 'https://id.example.com' })).to.deep.equal([problem]);
      expect(problemsOf({ AUTH_JWKS_URL: 'https://id.example.com', AUTH_AUDIENCE: '' })).to.deep.equal([
        problem,
      ]);
      expect(problemsOf({ AUTH_AUDIENCE: 'web' })).to.deep.equal([]);
    });

    it('domains under a policy that ignores them, and the domains policy without domains', () => {
      const missing = ['ACCESS_DOMAINS must be set when ACCESS_POLICY is domains'];
      expect(problemsOf({ ACCESS_POLICY: 'domains' })).to.deep.equal(missing);
      expect(problemsOf({ ACCESS_POLICY: 'domains', ACCESS_DOMAINS: ' , ' })).to.deep.equal(missing);
      for (const policy of [{}, { ACCESS_POLICY: 'invited' }, { ACCESS_POLICY: 'open' }]) {
        expect(problemsOf({ ...policy, ACCESS_DOMAINS: 'example.com' })).to.deep.equal([
          'ACCESS_DOMAINS must not be set unless ACCESS_POLICY is domains',
        ]);
      }
    });

    it('an issuer that is configured twice', () => {
      const AUTH_ISSUERS = '[{"issuer":"https://id.example.com","audience":"web"}]';
      const env = { AUTH_ISSUERS, AUTH_ISSUER: 'https://id.example.com', AUTH_AUDIENCE: 'web' };
      expect(problemsOf(env)).to.deep.equal(['AUTH_ISSUERS must not repeat the issuer of AUTH_ISSUER']);
      expect(problemsOf({ ...env, AUTH_ISSUER: 'https://id.example.com/' })).to.deep.equal([]);
    });

    it('an invalid NODE_ENV, naming it', () => {
      expect(problemsOf({ NODE_ENV: 'staging' })[0]).to.match(
        /^ENVIRONMENT \(from NODE_ENV\) must be one of .*, not "staging"$/,
      );
    });

    it('all invalid variables at once, one line each, in the order of the schema', () => {
      // Any text is a list of hosts, or of clients.
      const names = variables
        .map(({ env }) => env)
        .filter((name) => name !== 'NO_PROXY' && name !== 'AUTH_CLIENTS');
      const all = Object.fromEntries(names.map((name) => [name, ' ']));
      // For these, a blank is a valid empty list.
      Object.assign(all, {
        DATABASE_REPLICA_URLS: 'nowhere',
        CORS_ORIGINS: 'nowhere',
        CORS_HEADERS: 'not one',
        ACCESS_DOMAINS: 'nowhere',
        AUTH_ISSUER_DOMAINS: 'nowhere',
        AUTH_TRUSTED_EMAIL_CLAIMS: 'not one',
        INITIAL_ADMINS: 'nobody',
      });
      const problems = problemsOf(all);
      expect(problems.map((problem) => problem.split(' ')[0])).to.deep.equal(names);
      expect(problems.join('')).not.to.include('\n');
      expect(() => loadSettings(all)).to.throw(SettingsError, problems.join('\n'));
    });
  });

  describe('of the console at a provider', () => {
    const issuer = (name: string) => ({ issuer: `https://${name}.example.com`, audience: 'web' });
    const client = { CONSOLE_OIDC_CLIENT_ID: 'web' };

    it('name one issuer, by themselves or by CONSOLE_OIDC_ISSUER', () => {
      const [one, two] = [JSON.stringify([issuer('a')]), JSON.stringify([issuer('a'), issuer('b')])];
      expect(problemsOf({ ...client, AUTH_ISSUERS: one })).to.deep.equal([]);
      expect(problemsOf({ ...client, AUTH_ISSUERS: two }).join()).to.match(
        /^CONSOLE_OIDC_CLIENT_ID must not be set with several issuers in AUTH_ISSUERS, unless CONSOLE_OIDC_ISSUER/,
      );
      const single = { AUTH_ISSUER: 'https://c.example.com', AUTH_AUDIENCE: 'web' };
      expect(problemsOf({ ...client, AUTH_ISSUERS: two, ...single })).to.deep.equal([]);
      for (const name of ['a', 'b']) {
        const chosen = { CONSOLE_OIDC_ISSUER: issuer(name).issuer };
        expect(problemsOf({ ...client, AUTH_ISSUERS: two, ...chosen })).to.deep.equal([]);
      }
    });

    it('need PUBLIC_URL in production, over https', () => {
      const env = { ...PRODUCTION, ...client, AUTH_ISSUERS: JSON.stringify([issuer('a')]) };
      expect(problemsOf(env).join()).to.match(
        /^CONSOLE_OIDC_CLIENT_ID must not be set in production without PUBLIC_URL/,
      );
      expect(problemsOf({ ...env, PUBLIC_URL: 'https://rollcall.example.com' })).to.deep.equal([]);
      expect(problemsOf({ ...env, PUBLIC_URL: 'http://rollcall.example.com' }).join()).to.match(
        /^PUBLIC_URL must be an https origin/,
      );
    });
  });

  describe('in production', () => {
    it('need no secret if another one or an issuer signs people in', () => {
      const { AUTH_SECRET, ...rest } = PRODUCTION;
      const issuers = '[{"issuer":"https://id.example.com","audience":"web"}]';
      for (const source of [
        { AUTH_ISSUER: 'https://id.example.com', AUTH_AUDIENCE: 'web' },
        { AUTH_JWKS_URL: 'https://id.example.com/keys', AUTH_CLIENTS: 'web' },
        { AUTH_ISSUERS: issuers },
        { AUTH_SECRET_1: SECRET },
      ]) {
        expect(problemsOf({ ...rest, ...source }), JSON.stringify(source)).to.deep.equal([]);
      }
      for (const source of [{}, { AUTH_ISSUERS: '[]' }, { AUTH_AUDIENCE: 'web' }]) {
        expect(problemsOf({ ...rest, ...source }).join(), JSON.stringify(source)).to.match(
          /^AUTH_SECRET must be set in production.* AUTH_ISSUER, AUTH_JWKS_URL or AUTH_ISSUERS\)$/,
        );
      }
    });

    it('require a database and a secret', () => {
      expect(problemsOf({ ENVIRONMENT: 'production' })).to.deep.equal([
        'DATABASE_URL must be set in production, to postgres://user:password@host:port/database',
        'AUTH_SECRET must be set in production, to 32 bytes or more; generate it with: openssl rand -base64 48 (or set AUTH_ISSUER, AUTH_JWKS_URL or AUTH_ISSUERS)',
      ]);
      expect(problemsOf({ NODE_ENV: 'production' })).to.have.lengthOf(2);
      expect(problemsOf({ ...PRODUCTION, DATABASE_URL: '', AUTH_SECRET: '' })).to.have.lengthOf(2);
    });

    it('require nothing else', () => {
      const { database, auth } = loadSettings(PRODUCTION);
      expect([database.url, auth.secret]).to.deep.equal([URL_, SECRET]);
    });

    for (const [url, accepted] of [
      ['https://id.example.com', true],
      ['http://localhost:9000', true],
      ['http://127.0.0.1:9000', true],
      ['http://[::1]:9000', true],
      ['http://id.example.com', false],
      ['http://localhost.example.com', false],
      ['http://127.0.0.1.example.com', false],
    ] as const) {
      it(`${accepted ? 'accept' : 'refuse'} an identity provider at ${url}`, () => {
        for (const env of [
          { AUTH_ISSUER: url, AUTH_AUDIENCE: 'web' },
          { AUTH_JWKS_URL: url, AUTH_AUDIENCE: 'web' },
          { AUTH_ISSUERS: JSON.stringify([{ issuer: url, audience: 'web' }]) },
          { AUTH_ISSUERS: JSON.stringify([{ issuer: 'https://x.example', audience: 'web', jwksUrl: url }]) },
        ]) {
          expect(problemsOf({ ...PRODUCTION, ...env })).to.have.lengthOf(accepted ? 0 : 1);
          expect(problemsOf({ ENVIRONMENT: 'test', ...env })).to.deep.equal([]);
        }
      });
    }

    const example = variables.find(({ env }) => env === 'AUTH_SECRET')?.example ?? '';
    const placeholders = [
      example,
      'changeme'.repeat(4),
      'change-me-'.repeat(4),
      'ChangeMe_'.repeat(4),
      'secret'.repeat(6),
      'changeme-secret-'.repeat(2),
      'a'.repeat(64),
      'Aa'.repeat(16),
      ' '.repeat(32),
      '€'.repeat(11),
    ];
    for (const placeholder of placeholders) {
      it(`refuse the placeholder ${JSON.stringify(placeholder)}, which other environments accept`, () => {
        expect(problemsOf({ ...PRODUCTION, AUTH_SECRET: placeholder })).to.deep.equal([
          'AUTH_SECRET must not be a placeholder in production; generate it with: openssl rand -base64 48',
        ]);
        expect(problemsOf({ ENVIRONMENT: 'test', AUTH_SECRET: placeholder })).to.deep.equal([]);
        expect(problemsOf({ ...PRODUCTION, AUTH_SECRET_2: placeholder })).to.have.lengthOf(1);
      });
    }
  });
});
