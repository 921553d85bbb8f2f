import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { Refusal } from '../../domain/refusal.ts';
import { refusals } from '../../domain/refusals.ts';
import { problemOf } from '../answer/problem.ts';
import { logAccess } from '../middleware/access-log.ts';
import type { RequestObserver } from '../middleware/observe.ts';
import { canonicalAddress } from '../request/ip-address.ts';

/** The refusals of requests that Node's parser gives up on, by its error code. */
const REFUSALS: Readonly<Record<string, () => Refusal>> = {
  ERR_HTTP_REQUEST_TIMEOUT: refusals.requestTimeout,
  HPE_HEADER_OVERFLOW: refusals.headersTooLarge,
};

/** What the log cannot know of such a request. */
const UNREAD = {
  method: null,
  route: null,
  path: null,
  durationMs: null,
  userAgent: null,
  userId: null,
  service: null,
  credential: null,
};

/** The address of the connection: what proxies add is not readable. */
function peerOf(socket: Duplex): string | null {
  return canonicalAddress((socket as Socket).remoteAddress ?? '') ?? null;
}

/**
 * Makes the server answer an unreadable HTTP request with a problem too, and log one line: such a request never reaches the
 * middleware.
 */
export function answerUnreadable(server: Server, log: Logger, observer?: RequestObserver): void {
  const answering = new WeakSet<Duplex>();
  server.on('request', ({ socket }, response) => {
    answering.add(socket);
    response.once('close', () => answering.delete(socket));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // The connection is gone; or this is the rest of a request that the middleware answers.
    if (error.code === 'ECONNRESET' || !socket.writable || answering.has(socket)) {
      socket.destroy(error);
      return;
    }
    const requestId = randomUUID();
    const problem = problemOf((REFUSALS[error.code ?? ''] ?? refusals.malformedRequest)(), requestId);
    const { status, title, code } = problem;
    observer?.onAnswer({ method: undefined, route: undefined, status, seconds: 0, problem: code });
    const body = JSON.stringify(problem);
    const bytes = Buffer.byteLength(body);
    logAccess(log, { ...UNREAD, requestId, status, bytes, address: peerOf(socket), reason: error.code });
    const head = [
      `HTTP/1.1 ${status} ${title}`,
      'Content-Type: application/problem+json',
      `Content-Length: ${bytes}`,
      `X-Request-Id: ${requestId}`,
      'Connection: close',
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  });
}
