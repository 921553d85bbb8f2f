import { EventEmitter } from 'node:events';
import type { Client, QueryResult } from 'pg';
import { ImpatientClient } from './impatient-client.ts';

/** A statement as this client takes it: the driver's, and whether its sender waits for the answer. */
export interface PipelinedStatement {
  readonly name?: string;
  readonly text: string;
  /** Its sender goes on at once and learns nothing of it. Whoever sends the next statement, or the commit, gets its error. */
  readonly isAnsweredByNext?: boolean;
}

/** A statement that is being sent. */
export interface SentStatement {
  readonly name?: string | undefined;
  readonly text: string;
  /** Whether its values are parameters, and not in its text. */
  readonly isParameterized: boolean;
  /** Where it is sent. */
  readonly client: Pick<Client, 'host' | 'port' | 'database'>;
}

/** Told of each message with statements. Returns what to call once it is answered, with the error where it failed. */
export type StatementObserver = (statement: SentStatement) => ((error?: Error) => void) | undefined;

/** What opens a transaction and does nothing else. */
const OPENS = /^(?:begin|start transaction)[\w ]*$/i;
/** What may come with it: a setting of the transaction. */
const SETS = /^set local \w+ = \d+$/i;
const CLOSES = /^(?:commit|rollback)$/i;

/** The answer to a statement that has none yet. */
const UNKNOWN = { rows: [], rowCount: 0 };

/**
 * A connection that saves round trips. What opens a transaction, and what sets something for it, is sent with the first statement
 * in it, as one message: where it fails, nothing is carried out. A statement that is `isAnsweredByNext` is sent, and the next one
 * right behind it. Needs the driver's `pipeline`.
 */
export class PipelinedClient extends ImpatientClient {
  #opening: string | undefined;
  #unanswered: Promise<Error | undefined> | undefined;

  /** Told of the statements of this connection. */
  protected get onStatement(): StatementObserver | undefined {
    return undefined;
  }

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
    if (opening !== undefined && text !== undefined && SETS.test(text)) {
      this.#opening = `${opening}; ${text}`;
      return Promise.resolve({ command: 'SET', ...UNKNOWN });
    }
    this.#opening = undefined;
    if (opening === undefined) return this.#send(args);
    // Parameters need a message of their own, which must not be carried out without the transaction.
    if (text === undefined) return this.#send([opening]).then(() => this.#send(args));
    if (CLOSES.test(text)) return Promise.resolve({ command: text.toUpperCase(), ...UNKNOWN });
    return this.#send([`${opening}; ${text}`]).then((results) => (results as QueryResult[]).at(-1));
  }

  #send(args: unknown[]): Promise<unknown> {
    const [statement] = args as [string | PipelinedStatement];
    const answered = this.onStatement?.(this.#sent(args));
    const asked: Promise<unknown> = (super.query as (...args: unknown[]) => Promise<unknown>).apply(
      this,
      answered === undefined ? args : watched(args, answered),
    );
    const answer = answered !== undefined && asked instanceof Promise ? told(asked, answered) : asked;
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

  #sent([statement, values]: unknown[]): SentStatement {
    const {
      name,
      text,
      values: own,
    } = typeof statement === 'string'
      ? { name: undefined, text: statement, values: undefined }
      : (statement as { name?: string; text?: string; values?: unknown });
    return { name, text: text ?? '', isParameterized: hasLength(own ?? values), client: this };
  }
}

/** An answer of which an observer is told first. */
function told<T>(answer: Promise<T>, answered: (error?: Error) => void): Promise<T> {
  return answer.then(
    (result) => {
      answered();
      return result;
    },
    (error: Error) => {
      answered(error);
      throw error;
    },
  );
}

/** The arguments of a query whose answer comes by a callback, or piece by piece, with a look at that answer. */
function watched(args: unknown[], answered: (error?: Error) => void): unknown[] {
  const [statement] = args;
  const last = args.at(-1);
  if (statement instanceof EventEmitter) statement.once('end', () => answered()).once('error', answered);
  if (typeof last !== 'function') return args;
  return args.with(-1, (error: Error | undefined, result: unknown) => {
    answered(error ?? undefined);
    last(error, result);
  });
}

function hasLength(values: unknown): boolean {
  return Array.isArray(values) && values.length > 0;
}
