import { isIP } from 'node:net';
import { refusals } from '../../domain/refusals.ts';
import type { Middleware } from '../context.ts';
import { hostNameOf } from '../request/console-cookies.ts';
import type { Forwarded } from '../request/forwarded.ts';
import { loggable } from '../request/loggable.ts';

/** Names that nobody can register (RFC 6761, RFC 6762, RFC 8375; `.internal` is reserved by ICANN), and names without a dot. */
const PRIVATE_NAME = /^[^.]*$|\.(?:localhost|local|test|internal|home\.arpa)$/;

/**
 * Refuses requests for hosts that are not ours, where the service is on somebody's own machine: a page of another site could reach it
 * under a name of its own (DNS rebinding), and browsers would take the answers for the page's own. Ours are IP addresses, names that
 * nobody can register, and `known` names. Throws `misdirected_request`.
 */
export const checkHost = (known: ReadonlySet<string>, forwarded: Forwarded): Middleware =>
  function checkHost(ctx, next) {
    const host = forwarded.host(ctx.req);
    const name = hostNameOf(host);
    const isOurs = host === '' || isIP(name) > 0 || PRIVATE_NAME.test(name) || known.has(name);
    // A host that cannot be read has an empty name, and no dot.
    if (!isOurs || (name === '' && host !== '')) throw refusals.misdirected(loggable(host, 100));
    return next();
  };
