import { refusals } from '../../domain/refusals.ts';
import type { Middleware } from '../context.ts';
import { countFields } from '../request/fields.ts';

/** A host and a port (RFC 3986, section 3.2.2). Both may be empty. */
const HOST = /^(?:\[[\da-f:.]+\]|(?:[\w.~!$&'()*+,;=-]|%[\da-f]{2})*)(?::\d*)?$/i;

/**
 * Refuses requests without exactly one valid `Host` (RFC 9112, section 3.2): of two, a proxy in front may have obeyed the other one.
 * Only HTTP/1.1 demands it. Throws `malformed_request`.
 */
export const requireHost = (): Middleware =>
  function requireHost({ req }, next) {
    const { host } = req.headers;
    const isValid = host === undefined ? req.httpVersion !== '1.1' : HOST.test(host);
    if (!isValid || countFields(req, 'host') > 1) throw refusals.hostInvalid();
    return next();
  };
