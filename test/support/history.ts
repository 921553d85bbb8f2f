import { expect } from 'chai';
import type { TestApp } from './app.ts';

/** A history entry as the API returns it. */
export interface Entry {
  readonly id: number;
  readonly at: string;
  readonly actorId: number | null;
  readonly actor: string;
  readonly requestId: string | null;
  readonly userId: number;
  readonly action: 'created' | 'updated' | 'deleted';
  readonly before: Record<string, unknown> | null;
  readonly after: Record<string, unknown> | null;
  readonly version: number;
  readonly undoes: number | null;
  readonly reason: string | null;
  readonly erasedAt: string | null;
}

/** A page of the history. */
export interface HistoryPage {
  readonly items: Entry[];
  readonly nextCursor: string | null;
}

/** Requests over HTTP for the tests of the history, by default as the admin. */
export function visitor(app: TestApp, admin: string) {
  /** Sends a request, with a JSON body if there is one. */
  const send = (method: string, path: string, body?: unknown, as = admin) =>
    app.call(path, {
      method,
      as,
      ...(body !== undefined && {
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      }),
    });
  /** Sends a request, expects this status, and returns the parsed body. */
  const done = async <T = Record<string, unknown>>(
    status: number,
    ...request: Parameters<typeof send>
  ): Promise<T> => {
    const response = await send(...request);
    const text = await response.text();
    expect(response.status, `${request[0]} ${request[1]}: ${text}`).to.equal(status);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  };
  /** Returns the entries of a page of the history, newest first. */
  const history = async (query: Record<string, string> = {}, path = '/v1/history', as = admin) =>
    (await done<HistoryPage>(200, 'GET', `${path}?${new URLSearchParams(query)}`, undefined, as)).items;
  return { send, done, history };
}
