import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { Refusal } from '../../domain/refusal.ts';
import { refusals } from '../../domain/refusals.ts';
import { problemOf } from '../answer/problem.ts';

/** The refusals of requests that Node's parser gives up on, by its error code. */
const REFUSALS: Readonly<Record<string, () => Refusal>> = {
  ERR_HTTP_REQUEST_TIMEOUT: refusals.requestTimeout,
  HPE_HEADER_OVERFLOW: refusals.headersTooLarge,
};

/**
 * Makes the server answer an unreadable HTTP request with a problem too, and log one line: such a request never reaches the
 * middleware.
 */
export function answerUnreadable(server: Server, log: Logger): void {
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
    const { status, title } = problem;
    log.info({ requestId, method: null, route: null, status, reason: error.code }, 'request');
    const body = JSON.stringify(problem);
    const head = [
      `HTTP/1.1 ${status} ${title}`,
      'Content-Type: application/problem+json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Request-Id: ${requestId}`,
      'Connection: close',
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  });
}
