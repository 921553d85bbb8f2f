import type { IncomingMessage } from 'node:http';
import type { Middleware } from '../context.ts';

/** How long the rest of a body is read and thrown away after its answer, in milliseconds. */
const LINGER_MS = 5_000;

/**
 * Closes the connection of a caller that is still sending its body some time after it was answered: anybody can send one without
 * end. Not at once, because closing while bytes arrive can cost the caller its answer (RFC 9112, section 9.6).
 */
export const linger = (): Middleware =>
  function linger({ req, res }, next) {
    if (!hasBody(req)) return next();
    res.once('finish', () => {
      if (req.complete) return;
      const { socket } = req;
      const tooLong = setTimeout(() => socket.destroy(), LINGER_MS);
      req.once('close', () => clearTimeout(tooLong));
      req.once('end', () => clearTimeout(tooLong));
    });
    return next();
  };

/** Whether a request has a body (RFC 9112, section 6). */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}
