import { randomUUID } from 'node:crypto';
import { type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';

/** What Node's parser says of a request that it gives up on, and the status that this is. */
const STATUS: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
};

/**
 * Sees to it that the server answers what is no readable HTTP request as a problem too, and logs one line: such a request
 * never becomes one, so none of the middleware meets it.
 */
export function answerUnreadable(server: Server, log: Logger): void {
  const answering = new WeakSet<Duplex>();
  server.on('request', ({ socket }, response) => {
    answering.add(socket);
    response.once('close', () => answering.delete(socket));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // Gone already; or it is the rest of a request that the middleware has met, and answers.
    if (error.code === 'ECONNRESET' || !socket.writable || answering.has(socket)) {
      socket.destroy(error);
      return;
    }
    const requestId = randomUUID();
    const status = STATUS[error.code ?? ''] ?? 400;
    const title = STATUS_CODES[status];
    log.info({ requestId, method: null, route: null, status, reason: error.code }, 'request');
    const body = JSON.stringify({
      type: 'about:blank',
      title,
      status,
      detail: 'This cannot be read as an HTTP request.',
      code: 'malformed_request',
      requestId,
    });
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
