import type { IncomingMessage, ServerResponse } from 'node:http';

/** Rollcall in a server of yours. */
export interface Rollcall {
  /**
   * For Koa: `app.use(rollcall.middleware)`, in front of what parses bodies. It answers what is under `basePath`, and leaves the rest
   * to the next middleware.
   */
  readonly middleware: (
    context: {
      readonly req: IncomingMessage;
      readonly res: ServerResponse;
      readonly originalUrl?: string | undefined;
      respond?: boolean | undefined;
    },
    next: () => Promise<unknown>,
  ) => Promise<void>;
  /**
   * For `node:http`: `createServer(rollcall.handler)`. With `next`, as Express and Connect call it, it leaves to that what is not under
   * `basePath`.
   */
  readonly handler: (
    request: IncomingMessage,
    response: ServerResponse,
    next?: (error?: unknown) => unknown,
  ) => void;
  /**
   * Refuses new requests, lets those in flight finish for `shutdownTimeoutMs`, and closes everything that `createRollcall` has opened.
   * Resolves with whether all of them have finished. Close your own server first, so that nobody is refused.
   */
  close(): Promise<boolean>;
}
