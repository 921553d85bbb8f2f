import pg from 'pg';

/** A prepared statement that waits for each of its locks this long at most, in milliseconds, those of tables included. */
export interface LimitedStatement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
  readonly lockTimeoutMs: number;
}

/** Has no row, so that the rows of the message are those of the statement. */
const LIMIT = {
  name: 'limit-locks',
  text: `select where set_config('lock_timeout', $1, true) is null`,
};

/** What the driver's types leave out. */
interface Internals {
  readonly parsedStatements: Readonly<Record<string, string>>;
  bind(portal: {
    portal: string;
    statement: string;
    values: string[];
    valueMapper: (value: string) => string;
  }): void;
  execute(portal: { portal: string; rows: number }): void;
}
type Answered = (error: Error | null, results: pg.QueryResult[]) => void;
const Query = pg.Query as unknown as new (
  statement: object,
  values: undefined,
  onAnswer: Answered,
) => pg.Submittable & { prepare(connection: Internals): void };

/**
 * A connection that can limit the locks of a single statement. A statement cannot do so itself: it locks its tables before it runs.
 * So the setting is carried out before it, in the same message: what comes before one Sync is one transaction (PostgreSQL's
 * documentation, "Message Flow: Pipelining").
 */
export class LimitedClient extends pg.Client {
  override query(...args: unknown[]): never {
    const [statement] = args;
    return (isLimited(statement) ? this.#limited(statement) : this.#ask(args)) as never;
  }

  /**
   * Sends a statement with a callback, and makes a promise of that. The driver's own promise sets the callback when the statement is made
   * already, and V8 then lets most statements survive with their rows until it collects the old generation of its heap: the
   * collections took a third of the time of a list.
   */
  #ask(args: unknown[]): unknown {
    const ask = super.query as (...args: unknown[]) => unknown;
    const [statement] = args;
    if (typeof args.at(-1) === 'function' || isSubmittable(statement)) return ask.apply(this, args);
    const answer = new Promise((resolve, reject) => {
      ask.call(this, ...args, (error: Error | null, result: unknown) => {
        if (error) reject(error);
        else resolve(result);
      });
    });
    return answer.catch((error: Error) => {
      // As the driver does: the stack leads to whoever asked, and not to the socket.
      Error.captureStackTrace(error);
      throw error;
    });
  }

  /** Sends it at once, also where it prepares the limit before: whoever sends the next statement counts on the order. */
  async #limited({
    lockTimeoutMs,
    name,
    text,
    values,
  }: LimitedStatement): Promise<pg.QueryResult | undefined> {
    const limit = { ...LIMIT, values: [`${lockTimeoutMs}`] };
    const { parsedStatements } = this.connection as unknown as Internals;
    const isPrepared = parsedStatements[LIMIT.name] !== undefined;
    const prepared = isPrepared ? undefined : super.query(limit);
    const { promise, resolve, reject } = Promise.withResolvers<pg.QueryResult[]>();
    super.query(
      new LimitedQuery(limit.values, { name, text, values }, (error, results) => {
        if (error) reject(error);
        else resolve(results);
      }),
    );
    const [results] = await Promise.all([promise, prepared]);
    return results.at(-1);
  }
}

class LimitedQuery extends Query {
  readonly #limit: string[];

  constructor(limit: string[], statement: Omit<LimitedStatement, 'lockTimeoutMs'>, onAnswer: Answered) {
    super(statement, undefined, onAnswer);
    this.#limit = limit;
  }

  override prepare(connection: Internals): void {
    connection.bind({
      portal: '',
      statement: LIMIT.name,
      values: this.#limit,
      valueMapper: (value) => value,
    });
    connection.execute({ portal: '', rows: 0 });
    super.prepare(connection);
  }
}

function isSubmittable(statement: unknown): boolean {
  return typeof statement === 'object' && statement !== null && 'submit' in statement;
}

function isLimited(statement: unknown): statement is LimitedStatement {
  return typeof statement === 'object' && statement !== null && 'lockTimeoutMs' in statement;
}
