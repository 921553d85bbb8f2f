import convict from 'convict';
import { ACCESS_POLICIES, EMAIL_CHANGE_POLICIES, type EmailChangePolicy } from '../src/domain/access.ts';
import { type AuthSettings, authSchema } from './auth.ts';
import { DEFAULT_POOL_MAX, DEFAULT_PORT, formats, LIST_FORMATS } from './formats.ts';
import { EXAMPLE_SECRET, type Webhook } from './webhooks.ts';

convict.addFormats(formats);

/** Every environment. */
export const ENVIRONMENTS = ['development', 'test', 'production'] as const;
/** The purpose of a process. It decides which defaults apply and which settings are required. */
export type Environment = (typeof ENVIRONMENTS)[number];

/** Every setting of Rollcall. Frozen; times in milliseconds. {@link schemaFor} documents each one. */
export interface Settings {
  readonly environment: Environment;
  readonly host: string;
  readonly port: number;
  /** With a leading and without a trailing slash; empty: none. */
  readonly basePath: string;
  /** The origin at which browsers reach Rollcall; `null`: what their requests say. */
  readonly publicUrl: string | null;
  readonly database: {
    /** `null`: the embedded database. Never `null` in production. */
    readonly url: string | null;
    readonly poolMax: number;
    readonly connectTimeoutMs: number;
    readonly statementTimeoutMs: number;
  };
  /** Streaming standbys of the database. */
  readonly replicas: {
    readonly urls: readonly string[];
    readonly maxLagMs: number;
  };
  /** Absolute path. */
  readonly dataDir: string;
  readonly auth: AuthSettings;
  readonly console: {
    /** Whether there is a console, and sessions to sign in to it. */
    readonly enabled: boolean;
    /** `null`: nobody signs in at a provider. */
    readonly clientId: string | null;
    readonly clientSecret: string | null;
    /** `null`: AUTH_ISSUER, or else the only one of AUTH_ISSUERS. */
    readonly issuer: string | null;
  };
  /** As browsers write them in `Origin`. */
  readonly corsOrigins: readonly string[];
  readonly corsHeaders: readonly string[];
  /** The number of proxies, or their addresses and networks. */
  readonly trustProxy: number | readonly string[];
  /** Per minute, the history per hour; 0: unlimited. */
  readonly rateLimit: {
    readonly failures: number;
    readonly requests: number;
    readonly historyBytes: number;
    readonly store: 'memory' | 'database';
  };
  /** Normalized, without duplicates. */
  readonly initialAdmins: readonly string[];
  readonly access: {
    readonly policy: (typeof ACCESS_POLICIES)[number];
    /** Lower case, in ASCII, without duplicates. A leading `*.` stands for every subdomain. */
    readonly domains: readonly string[];
    readonly emailChanges: EmailChangePolicy;
  };
  readonly preferences: {
    /** Size of the preferences as JSON. */
    readonly maxBytes: number;
    /** Absolute path of a JSON Schema. */
    readonly schema: string | null;
  };
  readonly history: {
    readonly eraseAfterDays: number;
    readonly reasonRequired: boolean;
  };
  readonly dormancy: {
    /** 0: never. */
    readonly suspendAfterDays: number;
  };
  /** The port of operators; `null`: none. */
  readonly metrics: {
    readonly port: number | null;
    readonly host: string;
  };
  readonly webhooks: {
    readonly hooks: readonly Webhook[];
    readonly allowPrivate: boolean;
  };
  /** For requests to identity providers and webhooks. */
  readonly proxy: {
    /** `null`: that of `http`. */
    readonly https: string | null;
    readonly http: string | null;
    /** Hosts that are asked directly. */
    readonly except: readonly string[];
  };
  readonly transfers: {
    /** `null`: half of `database.poolMax`. */
    readonly atOnce: number | null;
    /** Bytes a second. */
    readonly minRate: number;
    readonly timeoutMs: number;
    readonly maxUploadBytes: number;
  };
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  readonly logFormat: 'json' | 'pretty';
  readonly keepAliveTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
  readonly bootTimeoutMs: number;
  /** Whether a start migrates the database. */
  readonly migrateOnBoot: boolean;
}

// A value under 100 was meant in seconds (and pg reads 0 as "no limit"); over 2^31-1, a Node timer fires at once.
const milliseconds = { format: 'whole-number', min: 100, max: 2 ** 31 - 1 };

// With room for what timers add: an attempt that fails by then says why, and Node keeps connections for a second longer than it says.
const longMilliseconds = { ...milliseconds, max: 2_147_000_000 };

// Counted in PostgreSQL's `integer`, with room for the requests over the limit.
const limit = { format: 'whole-number', min: 0, max: 1_000_000 };

/**
 * The convict schema of every setting; `texts` holds the text of each variable that is set. Convict defines `doc`,
 * `format`, `default`, `env`, `nullable` and `sensitive` (never printed). Rollcall adds arguments of its formats (`min`,
 * `max`, `refusePlaceholders`, `httpsOnly`, `mayHaveQuery`, `mayBeEmpty`, `isLimit`, `hasIssuer`, `primaryIssuer`, `policy`, `poolMax`, `port`, `primary`, `console`, `needsPublicUrl`),
 * `example` (shown in `.env.example` instead of the default) and `fallback` (a second variable to read).
 */
export function schemaFor(environment: Environment, texts: NodeJS.Dict<string> = {}) {
  const production = environment === 'production';
  return {
    environment: {
      doc: 'development, test or production. Falls back to NODE_ENV. Set it in the process environment, not in .env.',
      format: [...ENVIRONMENTS],
      default: 'development',
      env: 'ENVIRONMENT',
      fallback: 'NODE_ENV',
    },
    host: {
      doc: 'Address to listen on. Production default: 0.0.0.0 (all IPv4 addresses).',
      format: 'host',
      default: production ? '0.0.0.0' : '127.0.0.1',
      env: 'HOST',
    },
    port: {
      doc: 'Port to listen on. 0 picks a free port.',
      format: 'whole-number',
      min: 0,
      max: 65_535,
      default: DEFAULT_PORT,
      env: 'PORT',
    },
    basePath: {
      doc: 'Path in front of every route, for a proxy that passes it on, such as /rollcall. Default: none.',
      format: 'base-path',
      default: '',
      env: 'BASE_PATH',
      example: '/rollcall',
    },
    publicUrl: {
      doc: 'Origin at which browsers reach Rollcall, such as https://rollcall.example.com, without BASE_PATH. Default: what requests say.',
      format: 'public-url',
      httpsOnly: production,
      default: null,
      nullable: true,
      env: 'PUBLIC_URL',
      example: 'https://rollcall.example.com',
    },
    database: {
      url: {
        doc: 'PostgreSQL database. Required in production; otherwise Rollcall runs an embedded PostgreSQL.',
        format: 'postgres-url',
        default: null,
        nullable: !production,
        env: 'DATABASE_URL',
        sensitive: true,
        example: 'postgres://rollcall:password@localhost:5432/rollcall',
      },
      poolMax: {
        doc: 'Maximum number of open connections, at least 2: the boot lock holds one while migrations run.',
        format: 'whole-number',
        min: 2,
        max: 10_000,
        default: DEFAULT_POOL_MAX,
        env: 'DATABASE_POOL_MAX',
      },
      connectTimeoutMs: {
        doc: 'Time to wait for a database connection, in milliseconds.',
        ...milliseconds,
        default: 3000,
        env: 'DATABASE_CONNECT_TIMEOUT_MS',
      },
      statementTimeoutMs: {
        doc: 'Maximum duration of one SQL statement, in milliseconds.',
        ...milliseconds,
        default: 10_000,
        env: 'DATABASE_STATEMENT_TIMEOUT_MS',
      },
    },
    replicas: {
      urls: {
        doc: 'Streaming standbys of DATABASE_URL that lists, exports and the history are read from, separated by commas. Default: none.',
        format: 'replica-urls',
        primary: texts['DATABASE_URL'],
        default: [],
        env: 'DATABASE_REPLICA_URLS',
        sensitive: true,
        example:
          'postgres://rollcall:password@replica1:5432/rollcall,postgres://rollcall:password@replica2:5432/rollcall',
      },
      maxLagMs: {
        doc: 'How far a read replica may lag before everything is read from the primary, in milliseconds.',
        ...milliseconds,
        min: 1000,
        default: 10_000,
        env: 'DATABASE_REPLICA_MAX_LAG_MS',
      },
    },
    dataDir: {
      doc: 'Folder of the embedded database and the development secret.',
      format: 'folder',
      default: '.data',
      env: 'DATA_DIR',
    },
    auth: authSchema(production, texts),
    console: {
      enabled: {
        doc: 'Whether there is a console for admins, with its sign-in and its sessions: true or false.',
        format: 'true-or-false',
        default: true,
        env: 'CONSOLE',
      },
      clientId: {
        doc: 'Client id of the console at an OpenID Connect issuer, for signing in there. In production, set PUBLIC_URL too.',
        format: 'console-client',
        console: texts,
        needsPublicUrl: production,
        default: null,
        nullable: true,
        env: 'CONSOLE_OIDC_CLIENT_ID',
        example: 'rollcall-console',
      },
      clientSecret: {
        doc: 'Secret of that client, if the issuer wants one.',
        format: 'client-secret',
        default: null,
        nullable: true,
        env: 'CONSOLE_OIDC_CLIENT_SECRET',
        sensitive: true,
        example: 'the-secret-of-the-client',
      },
      issuer: {
        doc: 'Issuer at which the console signs in, one whose tokens are accepted. Default: AUTH_ISSUER, or else the only one of AUTH_ISSUERS.',
        format: 'console-issuer',
        console: texts,
        default: null,
        nullable: true,
        env: 'CONSOLE_OIDC_ISSUER',
        example: 'https://id.example.com/realms/main',
      },
    },
    corsOrigins: {
      doc: 'Other origins whose pages may call the API from a browser, cookies included, separated by commas.',
      format: 'origins',
      default: [],
      env: 'CORS_ORIGINS',
      example: 'https://app.example.com,http://localhost:3000,capacitor://localhost',
    },
    corsHeaders: {
      doc: 'Further request headers that these pages may send, separated by commas.',
      format: 'header-names',
      default: [],
      env: 'CORS_HEADERS',
      example: 'X-Requested-With,x-datadog-trace-id',
    },
    trustProxy: {
      doc: 'Trusted reverse proxies: how many in a row, or their addresses and networks (CIDR), separated by commas.',
      format: 'proxies',
      default: 0,
      env: 'TRUST_PROXY',
    },
    rateLimit: {
      failures: {
        doc: 'Failed authentications allowed per minute from one client address (IPv6: from one /64). 0: unlimited.',
        ...limit,
        default: 30,
        env: 'RATE_LIMIT_FAILURES',
      },
      requests: {
        doc: 'Requests allowed per minute from one account. 0: unlimited.',
        ...limit,
        default: 600,
        env: 'RATE_LIMIT_REQUESTS',
      },
      historyBytes: {
        doc: 'History, in bytes, that one account may write per hour, unless it is an admin. 0: unlimited.',
        format: 'whole-number',
        min: 0,
        max: 2 ** 30,
        default: 16 * 1024 * 1024,
        env: 'RATE_LIMIT_HISTORY_BYTES',
      },
      store: {
        doc: 'Where requests are counted: memory (per process) or database (across all processes).',
        format: ['memory', 'database'],
        default: 'memory',
        env: 'RATE_LIMIT_STORE',
      },
    },
    initialAdmins: {
      doc: 'Emails that become active admins at every start, separated by commas. Default outside development: none.',
      format: 'emails',
      default: environment === 'development' ? ['admin@example.com'] : [],
      env: 'INITIAL_ADMINS',
    },
    access: {
      policy: {
        doc: 'Who may sign in: invited (existing accounts), domains (also emails in ACCESS_DOMAINS) or open (any valid token).',
        format: [...ACCESS_POLICIES],
        default: 'invited',
        env: 'ACCESS_POLICY',
        // The example of ACCESS_DOMAINS is valid only with this policy.
        example: 'domains',
      },
      domains: {
        doc: 'Email domains for ACCESS_POLICY=domains, separated by commas. *.example.com stands for every subdomain.',
        format: 'domains',
        default: [],
        policy: texts['ACCESS_POLICY'],
        env: 'ACCESS_DOMAINS',
        example: 'example.com,*.example.org',
      },
      emailChanges: {
        doc: 'When the email of a known sign-in has changed: follow (the account takes a verified email that is free) or refuse.',
        format: [...EMAIL_CHANGE_POLICIES],
        default: 'follow',
        env: 'ACCESS_EMAIL_CHANGES',
      },
    },
    preferences: {
      maxBytes: {
        doc: 'Maximum size of the preferences of one account as JSON, in bytes.',
        format: 'whole-number',
        min: 2,
        max: 100 * 1024,
        default: 16_384,
        env: 'PREFERENCES_MAX_BYTES',
      },
      schema: {
        doc: 'Path of a JSON Schema (2020-12) that preferences must match. Default: any JSON object.',
        format: 'file',
        default: null,
        nullable: true,
        env: 'PREFERENCES_SCHEMA',
        example: 'preferences.schema.json',
      },
    },
    history: {
      eraseAfterDays: {
        doc: 'Days during which a deleted account can be restored; then its personal data is erased. 0: erase at once.',
        format: 'whole-number',
        min: 0,
        max: 3_650,
        default: 30,
        env: 'ERASE_AFTER_DAYS',
      },
      reasonRequired: {
        doc: 'Whether what admins, service tokens and the command line do to accounts needs a reason: true or false.',
        format: 'true-or-false',
        default: false,
        env: 'REASON_REQUIRED',
      },
    },
    dormancy: {
      suspendAfterDays: {
        doc: 'Days without a request after which an account is suspended, until an admin restores it. 0: never.',
        format: 'whole-number',
        min: 0,
        max: 3_650,
        default: 0,
        env: 'SUSPEND_AFTER_DAYS',
      },
    },
    webhooks: {
      hooks: {
        doc: 'Receivers of account changes, as a JSON array of {url, secret, name?, actions?, fields?}.',
        format: 'webhooks',
        default: [],
        httpsOnly: production && texts['WEBHOOKS_ALLOW_PRIVATE'] !== 'true',
        refusePlaceholders: production,
        env: 'WEBHOOKS',
        sensitive: true,
        example: `[{"url":"https://crm.example.com/rollcall","secret":"${EXAMPLE_SECRET}","fields":["role"]}]`,
      },
      allowPrivate: {
        doc: 'Whether webhooks may use private addresses and, in production, plain http: true or false.',
        format: 'true-or-false',
        default: false,
        env: 'WEBHOOKS_ALLOW_PRIVATE',
      },
    },
    proxy: {
      https: {
        doc: 'HTTP proxy for https requests to identity providers and webhooks. Falls back to https_proxy, then to HTTP_PROXY.',
        format: 'proxy-url',
        default: null,
        nullable: true,
        env: 'HTTPS_PROXY',
        fallback: 'https_proxy',
        sensitive: true,
        example: 'http://proxy.example.com:3128',
      },
      http: {
        doc: 'HTTP proxy for http requests to identity providers and webhooks. Falls back to http_proxy.',
        format: 'proxy-url',
        default: null,
        nullable: true,
        env: 'HTTP_PROXY',
        fallback: 'http_proxy',
        sensitive: true,
        example: 'http://proxy.example.com:3128',
      },
      except: {
        doc: 'Hosts that are asked directly, with their subdomains, separated by commas; * for all. Falls back to no_proxy.',
        format: 'hosts',
        default: [],
        env: 'NO_PROXY',
        fallback: 'no_proxy',
        example: 'localhost,127.0.0.1,.internal.example.com',
      },
    },
    transfers: {
      atOnce: {
        doc: 'Imports and exports of accounts at the same time in one process, fewer than DATABASE_POOL_MAX. Default: half of it.',
        format: 'transfers',
        poolMax: texts['DATABASE_POOL_MAX'],
        default: null,
        nullable: true,
        env: 'TRANSFERS_MAX',
        example: '5',
      },
      minRate: {
        doc: 'Slowest pace of a client that sends an import or reads an export, in bytes per second.',
        format: 'whole-number',
        min: 1,
        max: 2 ** 31 - 1,
        default: 8_192,
        env: 'TRANSFER_MIN_RATE',
      },
      timeoutMs: {
        doc: 'Time for an import to arrive or for an export to be read, in milliseconds.',
        ...milliseconds,
        default: 1_800_000,
        env: 'TRANSFER_TIMEOUT_MS',
      },
      maxUploadBytes: {
        doc: 'Maximum size of an import, in bytes. It is stored in the folder for temporary files (TMPDIR) while it arrives.',
        format: 'whole-number',
        min: 1,
        max: 2 ** 40,
        default: 1_073_741_824,
        env: 'IMPORT_MAX_BYTES',
      },
    },
    metrics: {
      port: {
        doc: 'Port of GET /metrics, for Prometheus, and of the checks for operators, without authentication. 0 picks a free port.',
        format: 'further-port',
        port: texts['PORT'],
        default: null,
        nullable: true,
        env: 'METRICS_PORT',
        example: '9464',
      },
      host: {
        doc: 'Address that METRICS_PORT listens on: 0.0.0.0 (all IPv4 addresses) for a Prometheus on another machine or in another pod.',
        format: 'host',
        default: '127.0.0.1',
        env: 'METRICS_HOST',
      },
    },
    logLevel: {
      doc: 'Lowest level of log lines to write: trace, debug, info, warn, error, fatal or silent.',
      format: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
      default: 'info',
      env: 'LOG_LEVEL',
    },
    logFormat: {
      doc: 'Form of the log: json (an object a line, for programs) or pretty (for people). Default outside development: json.',
      format: ['json', 'pretty'],
      default: environment === 'development' ? 'pretty' : 'json',
      env: 'LOG_FORMAT',
    },
    keepAliveTimeoutMs: {
      doc: 'Time that an idle connection stays open, in milliseconds. Keep it longer than a load balancer does.',
      ...longMilliseconds,
      default: 65_000,
      env: 'KEEP_ALIVE_TIMEOUT_MS',
    },
    requestTimeoutMs: {
      doc: 'Time for the JSON body of a request to arrive, in milliseconds.',
      ...milliseconds,
      default: 30_000,
      env: 'REQUEST_TIMEOUT_MS',
    },
    shutdownTimeoutMs: {
      doc: 'Time for requests in flight to finish during a shutdown, in milliseconds.',
      ...longMilliseconds,
      default: 10_000,
      env: 'SHUTDOWN_TIMEOUT_MS',
    },
    bootTimeoutMs: {
      doc: 'Time that a start has for the database: to reach it, to wait for locks and other replicas, and to migrate, in milliseconds.',
      ...longMilliseconds,
      default: 60_000,
      env: 'BOOT_TIMEOUT_MS',
    },
    migrateOnBoot: {
      doc: 'Whether a start applies pending migrations: true or false. If false, it waits for the command migrate.',
      format: 'true-or-false',
      default: true,
      env: 'MIGRATE_ON_BOOT',
    },
  } satisfies convict.Schema<Settings>;
}

/** One setting of the schema. `path` locates it in {@link Settings}, as in `database.url`. */
export interface Variable {
  readonly path: string;
  readonly env: string;
  readonly doc: string;
  readonly format: unknown;
  readonly default: unknown;
  readonly sensitive?: boolean;
  /** Whether `<env>_FILE` may name a file with the value: secrets and lists. */
  readonly mayBeFile: boolean;
  readonly example?: string;
  readonly fallback?: string;
}

/** Every variable, in the order of documentation, problems and output. Defaults are those of development. */
export const variables: readonly Variable[] = Object.entries(schemaFor('development')).flatMap(
  ([name, entry]): Variable[] =>
    'env' in entry
      ? [variable(name, entry)]
      : Object.entries(entry).map(([leaf, inner]) => variable(`${name}.${leaf}`, inner)),
);

function variable(path: string, entry: Omit<Variable, 'path' | 'mayBeFile'>): Variable {
  return { path, ...entry, mayBeFile: entry.sensitive === true || LIST_FORMATS.has(entry.format) };
}
