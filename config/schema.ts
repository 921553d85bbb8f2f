import convict from 'convict';
import { ACCESS_POLICIES } from '../src/domain/access.ts';
import { type AuthSettings, authSchema } from './auth.ts';
import { formats } from './formats.ts';
import { EXAMPLE_SECRET, type Webhook } from './webhooks.ts';

convict.addFormats(formats);

/** The three that there are. */
export const ENVIRONMENTS = ['development', 'test', 'production'] as const;
/** What a process is for: it decides defaults, and what is required. */
export type Environment = (typeof ENVIRONMENTS)[number];

/** What Rollcall runs with. Frozen; times in milliseconds. What each one means is said once, in the schema below. */
export interface Settings {
  readonly environment: Environment;
  readonly host: string;
  readonly port: number;
  readonly database: {
    /** `null`: the embedded server. Never in production. */
    readonly url: string | null;
    readonly poolMax: number;
    readonly connectTimeoutMs: number;
    readonly statementTimeoutMs: number;
  };
  /** Absolute. */
  readonly dataDir: string;
  readonly auth: AuthSettings;
  /** As `URL.origin` writes them. */
  readonly corsOrigins: readonly string[];
  /** A number of hops, or addresses and networks. */
  readonly trustProxy: number | readonly string[];
  /** In a minute; 0 for any number. */
  readonly rateLimit: {
    readonly failures: number;
    readonly requests: number;
    readonly store: 'memory' | 'database';
  };
  /** Normalised, no doubles. */
  readonly initialAdmins: readonly string[];
  readonly access: {
    readonly policy: (typeof ACCESS_POLICIES)[number];
    /** Lower-cased and in ASCII, `*.` in front for all below; no doubles. */
    readonly domains: readonly string[];
  };
  readonly preferences: {
    /** Of the preferences as JSON. */
    readonly maxBytes: number;
    /** The path of a JSON Schema; absolute. */
    readonly schema: string | null;
  };
  readonly history: {
    readonly eraseAfterDays: number;
  };
  readonly webhooks: {
    readonly hooks: readonly Webhook[];
    readonly allowPrivate: boolean;
  };
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  readonly shutdownTimeoutMs: number;
  readonly bootTimeoutMs: number;
}

// Under 100 somebody thought in seconds (and 0 would mean "for ever" to pg); over 2^31-1 a Node timer fires at once.
const milliseconds = { format: 'whole-number', min: 100, max: 2 ** 31 - 1 };

// Counted in PostgreSQL's `integer`, with room for those that are refused.
const limit = { format: 'whole-number', min: 0, max: 1_000_000 };

/**
 * Every setting, as convict takes it, where `texts` are what was given for each variable: `doc`, `format`, `default`,
 * `env`, and `sensitive` for what is never printed and may also come from the file that `<env>_FILE` names. Ours besides:
 * `min` and `max`, `refusePlaceholders`, `httpsOnly`, `mayHaveQuery`, `besides`, `policy`, `example` (shown in
 * `.env.example` in the place of a default) and `fallback` (a second variable to look at).
 */
export function schemaFor(environment: Environment, texts: NodeJS.Dict<string> = {}) {
  const production = environment === 'production';
  return {
    environment: {
      doc: 'Which of development, test and production this is; unset, NODE_ENV decides. To be set outside .env.',
      format: [...ENVIRONMENTS],
      default: 'development',
      env: 'ENVIRONMENT',
      fallback: 'NODE_ENV',
    },
    host: {
      doc: 'The address to listen on. In production the default is 0.0.0.0, every IPv4 address.',
      format: 'host',
      default: production ? '0.0.0.0' : '127.0.0.1',
      env: 'HOST',
    },
    port: {
      doc: 'The port to listen on; 0 picks a free one.',
      format: 'whole-number',
      min: 0,
      max: 65_535,
      default: 8000,
      env: 'PORT',
    },
    database: {
      url: {
        doc: 'The PostgreSQL database. Required in production; elsewhere Rollcall runs one of its own.',
        format: 'postgres-url',
        default: null,
        nullable: !production,
        env: 'DATABASE_URL',
        sensitive: true,
        example: 'postgres://rollcall:password@localhost:5432/rollcall',
      },
      poolMax: {
        doc: 'The most connections to hold open, at least 2: the boot lock keeps one while migrations run.',
        format: 'whole-number',
        min: 2,
        max: 10_000,
        default: 10,
        env: 'DATABASE_POOL_MAX',
      },
      connectTimeoutMs: {
        doc: 'How long to wait for a connection.',
        ...milliseconds,
        default: 3000,
        env: 'DATABASE_CONNECT_TIMEOUT_MS',
      },
      statementTimeoutMs: {
        doc: 'How long one SQL statement may run.',
        ...milliseconds,
        default: 10_000,
        env: 'DATABASE_STATEMENT_TIMEOUT_MS',
      },
    },
    dataDir: {
      doc: "The folder of the embedded database's files and of the development secret.",
      format: 'folder',
      default: '.data',
      env: 'DATA_DIR',
    },
    auth: authSchema(production, texts),
    corsOrigins: {
      doc: 'Other origins, separated by commas, whose pages may call from browsers, with cookies too.',
      format: 'origins',
      default: [],
      env: 'CORS_ORIGINS',
      example: 'https://app.example.com,http://localhost:3000',
    },
    trustProxy: {
      doc: 'The proxies in front: how many in a row, or their addresses and networks (CIDR), separated by commas.',
      format: 'proxies',
      default: 0,
      env: 'TRUST_PROXY',
    },
    rateLimit: {
      failures: {
        doc: 'The most failed authentications from one client address (IPv6: from its /64) in a minute; 0: no limit.',
        ...limit,
        default: 30,
        env: 'RATE_LIMIT_FAILURES',
      },
      requests: {
        doc: 'The most requests of one account in a minute; 0: no limit.',
        ...limit,
        default: 600,
        env: 'RATE_LIMIT_REQUESTS',
      },
      store: {
        doc: 'Where requests are counted: memory (each process for itself) or database (all together).',
        format: ['memory', 'database'],
        default: 'memory',
        env: 'RATE_LIMIT_STORE',
      },
    },
    initialAdmins: {
      doc: 'Emails, separated by commas, that every start makes admins. Only development has one by default.',
      format: 'emails',
      default: environment === 'development' ? ['admin@example.com'] : [],
      env: 'INITIAL_ADMINS',
    },
    access: {
      policy: {
        doc: 'Who gets an account: invited (who has one), domains (also ACCESS_DOMAINS) or open (any valid token).',
        format: [...ACCESS_POLICIES],
        default: 'invited',
        env: 'ACCESS_POLICY',
        // With the example of ACCESS_DOMAINS.
        example: 'domains',
      },
      domains: {
        doc: 'Domains of emails, separated by commas, for ACCESS_POLICY=domains; *.example.com is all below it.',
        format: 'domains',
        default: [],
        policy: texts['ACCESS_POLICY'],
        env: 'ACCESS_DOMAINS',
        example: 'example.com,*.example.org',
      },
    },
    preferences: {
      maxBytes: {
        doc: 'The most bytes that the preferences of one account may have, as JSON.',
        format: 'whole-number',
        min: 2,
        max: 100 * 1024,
        default: 16_384,
        env: 'PREFERENCES_MAX_BYTES',
      },
      schema: {
        doc: 'The path of a JSON Schema (2020-12) that preferences must match; without, they are any object.',
        format: 'file',
        default: null,
        nullable: true,
        env: 'PREFERENCES_SCHEMA',
        example: 'preferences.schema.json',
      },
    },
    history: {
      eraseAfterDays: {
        doc: 'How many days a deleted account can be restored; then its history loses the person. 0 erases at once.',
        format: 'whole-number',
        min: 0,
        max: 3_650,
        default: 30,
        env: 'ERASE_AFTER_DAYS',
      },
    },
    webhooks: {
      hooks: {
        doc: 'Whom to tell of changes, as a JSON array of {url, secret, name?, actions?, fields?}.',
        format: 'webhooks',
        default: [],
        httpsOnly: production && texts['WEBHOOKS_ALLOW_PRIVATE'] !== 'true',
        refusePlaceholders: production,
        env: 'WEBHOOKS',
        sensitive: true,
        example: `[{"url":"https://crm.example.com/rollcall","secret":"${EXAMPLE_SECRET}","fields":["role"]}]`,
      },
      allowPrivate: {
        doc: 'Whether webhooks may lead to private addresses, and in production to plain http: true or false.',
        format: 'true-or-false',
        default: false,
        env: 'WEBHOOKS_ALLOW_PRIVATE',
      },
    },
    logLevel: {
      doc: 'The least severe log line to write: trace, debug, info, warn, error, fatal or silent.',
      format: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
      default: 'info',
      env: 'LOG_LEVEL',
    },
    shutdownTimeoutMs: {
      doc: 'How long requests in flight may take to end once the process is told to stop.',
      ...milliseconds,
      default: 10_000,
      env: 'SHUTDOWN_TIMEOUT_MS',
    },
    bootTimeoutMs: {
      doc: 'How long a start may wait for the database and for other replicas.',
      ...milliseconds,
      default: 60_000,
      env: 'BOOT_TIMEOUT_MS',
    },
  } satisfies convict.Schema<Settings>;
}

/** One entry of the schema with its place in {@link Settings}, as in `database.url`. */
export interface Variable {
  readonly path: string;
  readonly env: string;
  readonly doc: string;
  readonly format: unknown;
  readonly default: unknown;
  readonly sensitive?: boolean;
  readonly example?: string;
  readonly fallback?: string;
}

/** Every variable, in the order in which they are documented, reported and printed; defaults are development's. */
export const variables: readonly Variable[] = Object.entries(schemaFor('development')).flatMap(
  ([name, entry]): Variable[] =>
    'env' in entry
      ? [{ path: name, ...entry }]
      : Object.entries(entry).map(([leaf, inner]) => ({ path: `${name}.${leaf}`, ...inner })),
);
