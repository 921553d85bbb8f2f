import type { StatementTimes } from '../../tracing/statement-times.ts';
import type { Middleware } from '../context.ts';

/**
 * Answers with `Server-Timing` (W3C): the time and the number of the statements of the request, and the time in all until the answer
 * begins. Browsers show it beside the request. For development: it tells a stranger what a request costs.
 */
export const serverTiming = (times: StatementTimes): Middleware =>
  function serverTiming({ res }, next) {
    const began = performance.now();
    return times.count((time) => {
      const writeHead: (...args: never) => typeof res = res.writeHead.bind(res);
      // As late as can be: the head of a stream is sent long before the middleware returns.
      res.writeHead = (...args: unknown[]) => {
        const total = performance.now() - began;
        const statements = time.count === 1 ? '1 statement' : `${time.count} statements`;
        res.setHeader(
          'Server-Timing',
          `db;dur=${time.ms.toFixed(2)};desc="${statements}", total;dur=${total.toFixed(2)}`,
        );
        return writeHead(...(args as never));
      };
      return next();
    });
  };
