/** The part of a pino logger that the embedded database writes to. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** One user's hold on the embedded server. */
export interface EmbeddedDatabase {
  /** `postgres://…` of the database `rollcall`, with its password: never log it. Stays good across crashes. */
  readonly url: string;
  /** `started`: this call started the server. `adopted`: it was running, another process's or an orphan. */
  readonly origin: 'started' | 'adopted';
  /** The port on 127.0.0.1. */
  readonly port: number;
  /**
   * Lets go. The last one to let go stops the server (fast shutdown) and waits until it is down. Idempotent.
   * @throws Error when the server is not down after the `timeoutMs` it was opened with.
   */
  release(): Promise<void>;
}

/** How to open the embedded database. */
export interface EmbeddedOptions {
  /** The folder that holds the cluster, its password and the server's log. Made (0700) when missing. */
  directory: string;
  /** After this many milliseconds opening, coming back from a crash, and stopping each give up. */
  timeoutMs: number;
  /** Hears of starts, adoptions, crashes and recoveries. Never of the password. */
  log: Log;
  /** Further server settings, such as `{ fsync: 'off' }` in tests. An adopted server keeps those it has. */
  parameters?: Record<string, string>;
}
