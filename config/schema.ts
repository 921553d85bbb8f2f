import convict from 'convict';
import { formats } from './formats.ts';

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
  /** `null`: one is made and kept in `dataDir`. Never in production. */
  readonly authSecret: string | null;
  /** Normalised, no doubles. */
  readonly initialAdmins: readonly string[];
  readonly preferences: {
    /** Of the preferences as JSON. */
    readonly maxBytes: number;
    /** The path of a JSON Schema; absolute. */
    readonly schema: string | null;
  };
  readonly history: {
    readonly eraseAfterDays: number;
  };
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  readonly shutdownTimeoutMs: number;
  readonly bootTimeoutMs: number;
}

// Under 100 somebody thought in seconds (and 0 would mean "for ever" to pg); over 2^31-1 a Node timer fires at once.
const milliseconds = { format: 'whole-number', min: 100, max: 2 ** 31 - 1 };

/**
 * Every setting, as convict takes it: `doc`, `format`, `default`, `env`, and `sensitive` for what is never printed
 * and may also come from the file that `<env>_FILE` names. Ours besides: `min` and `max`, `refusePlaceholders`,
 * `example` (shown in `.env.example` in the place of a default) and `fallback` (a second variable to look at).
 */
export function schemaFor(environment: Environment) {
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
    authSecret: {
      doc: 'The key of the tokens, 32 bytes or more. Required in production; elsewhere one is made, in DATA_DIR.',
      format: 'secret',
      default: null,
      nullable: !production,
      refusePlaceholders: production,
      env: 'AUTH_SECRET',
      sensitive: true,
      example: 'replace-me-with-openssl-rand-base64-48',
    },
    initialAdmins: {
      doc: 'Emails, separated by commas, that every start makes admins. Only development has one by default.',
      format: 'emails',
      default: environment === 'development' ? ['admin@example.com'] : [],
      env: 'INITIAL_ADMINS',
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
