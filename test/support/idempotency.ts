import type { TestApp } from './app.ts';

/** What a test says of a write. */
export interface KeyedInit {
  /** The `Idempotency-Key`, without its quotes. */
  readonly key?: string;
  /** The email of the account that asks. */
  readonly as?: string;
  /** A bearer token, in place of an account. */
  readonly bearer?: string;
  readonly body?: string;
  /** The media type of the body. Default: JSON. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends writes with and without a key, by default as one account. */
export function sender(app: Pick<TestApp, 'call'>, as: string) {
  const send = (method: string, path: string, init: KeyedInit = {}) => {
    const { key, bearer, body, type = 'application/json', headers } = init;
    return app.call(path, {
      method,
      ...(bearer === undefined && { as: init.as ?? as }),
      ...(body !== undefined && { body }),
      headers: {
        ...(key !== undefined && { 'Idempotency-Key': `"${key}"` }),
        ...(bearer !== undefined && { Authorization: `Bearer ${bearer}` }),
        ...(body !== undefined && { 'Content-Type': type }),
        ...headers,
      },
    });
  };
  return { send };
}
