import { expect } from 'chai';
import type { TestApp } from './app.ts';

/** An entry of the history as it leaves. */
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
  readonly erasedAt: string | null;
}

/** A page of it. */
export interface HistoryPage {
  readonly items: Entry[];
  readonly nextCursor: string | null;
}

/** What admins and others do to accounts over HTTP, as far as the tests of the history need it. */
export function visitor(app: TestApp, admin: string) {
  /** A request with a JSON body, in the name of the admin unless it says otherwise. */
  const send = (method: string, path: string, body?: unknown, as = admin) =>
    app.call(path, {
      method,
      as,
      ...(body !== undefined && {
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      }),
    });
  /** The same, of which this status is expected; what it answers. */
  const done = async <T = Record<string, unknown>>(
    status: number,
    ...request: Parameters<typeof send>
  ): Promise<T> => {
    const response = await send(...request);
    const text = await response.text();
    expect(response.status, `${request[0]} ${request[1]}: ${text}`).to.equal(status);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  };
  /** The entries of a page of the history, newest first. */
  const history = async (query: Record<string, string> = {}, path = '/v1/history', as = admin) =>
    (await done<HistoryPage>(200, 'GET', `${path}?${new URLSearchParams(query)}`, undefined, as)).items;
  return { send, done, history };
}
