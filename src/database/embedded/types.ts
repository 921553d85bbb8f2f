/** The part of a pino logger that the embedded database uses. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A process's lease on the embedded server. */
export interface EmbeddedDatabase {
  /** `postgres://…` of the database `rollcall`, with its password: never log it. Stays valid across crashes. */
  readonly url: string;
  /** `started`: this call started the server. `adopted`: it was already running, in use or orphaned. */
  readonly origin: 'started' | 'adopted';
  /** The port on 127.0.0.1. */
  readonly port: number;
  /**
   * Releases the lease. The last release stops the server (fast shutdown) and waits until it is down. Idempotent.
   * @throws {Error} if the server is not down after the `timeoutMs` of the options.
   */
  release(): Promise<void>;
}

/** How to open the embedded database. */
export interface EmbeddedOptions {
  /** The folder of the cluster, its password and the server's log. Created (0700) if missing. */
  directory: string;
  /** Time limit, in milliseconds, for each of opening, recovery from a crash, and stopping. */
  timeoutMs: number;
  /** Ends the opening: a server that it has started is stopped again, unless others use it. */
  signal?: AbortSignal;
  /** Receives starts, adoptions, crashes and recoveries, but never the password. */
  log: Log;
  /** Additional server settings, such as `{ fsync: 'off' }` in tests. An adopted server keeps its own. */
  parameters?: Record<string, string>;
}
