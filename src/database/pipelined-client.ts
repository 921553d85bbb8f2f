import type { QueryResult } from 'pg';
import { ImpatientClient } from './impatient-client.ts';

/** A statement as this client takes it: the driver's, and whether its sender waits for the answer. */
export interface PipelinedStatement {
  readonly name?: string;
  readonly text: string;
  /** Its sender goes on at once and learns nothing of it. Whoever sends the next statement, or the commit, gets its error. */
  readonly isAnsweredByNext?: boolean;
}

/** What opens a transaction and does nothing else. */
const OPENS = /^(?:begin|start transaction)[\w ]*$/i;
const CLOSES = /^(?:commit|rollback)$/i;

/** The answer to a statement that has none yet. */
const UNKNOWN = { rows: [], rowCount: 0 };

/**
 * A connection that saves round trips. What opens a transaction is sent with the first statement in it, as one message: where it
 * fails, nothing is carried out. A statement that is `isAnsweredByNext` is sent, and the next one right behind it. Needs the
 * driver's `pipeline`.
 */
export class PipelinedClient extends ImpatientClient {
  #opening: string | undefined;
  #unanswered: Promise<Error | undefined> | undefined;

  override query(...args: unknown[]): never {
    return this.#take(args) as never;
  }

  #take(args: unknown[]): unknown {
    const [statement, values] = args as [string | PipelinedStatement, unknown];
    const text = typeof statement === 'string' && !hasLength(values) ? statement : undefined;
    if (text !== undefined && OPENS.test(text)) {
      this.#opening = text;
      return Promise.resolve({ command: 'BEGIN', ...UNKNOWN });
    }
    const opening = this.#opening;
    this.#opening = undefined;
    if (opening === undefined) return this.#send(args);
    // Parameters need a message of their own, which must not be carried out without the transaction.
    if (text === undefined) return this.#send([opening]).then(() => this.#send(args));
    if (CLOSES.test(text)) return Promise.resolve({ command: text.toUpperCase(), ...UNKNOWN });
    return this.#send([`${opening}; ${text}`]).then((results) => (results as QueryResult[]).at(-1));
  }

  #send(args: unknown[]): Promise<unknown> {
    const [statement] = args as [string | PipelinedStatement];
    const answer: Promise<unknown> = (super.query as (...args: unknown[]) => Promise<unknown>).apply(
      this,
      args,
    );
    if (typeof statement === 'object' && statement.isAnsweredByNext) {
      this.#unanswered = answer.then(
        () => undefined,
        (error: Error) => error,
      );
      return Promise.resolve({ command: '', ...UNKNOWN });
    }
    const unanswered = this.#unanswered;
    if (unanswered === undefined) return answer;
    this.#unanswered = undefined;
    // After a failure, PostgreSQL refuses all but the end of the transaction, and says that of a commit as little as of a rollback.
    const result = Promise.allSettled([unanswered, answer]);
    return result.then(([before]) => {
      const error = before.status === 'fulfilled' ? before.value : undefined;
      if (error !== undefined && statement !== 'rollback') throw error;
      return answer;
    });
  }
}

function hasLength(values: unknown): boolean {
  return Array.isArray(values) && values.length > 0;
}
