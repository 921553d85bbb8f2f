import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import helmet from 'helmet';
import type { Middleware } from '../context.ts';

/**
 * Sets the headers of answers that are data: browsers must not run, frame, sniff or cache them. They are the same for every
 * answer, and so computed once.
 */
export const securityHeaders = (): Middleware => {
  const headers = new Map([
    ...headersOf(
      helmet({
        contentSecurityPolicy: {
          useDefaults: false,
          directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
        },
        referrerPolicy: { policy: 'no-referrer' },
        xFrameOptions: { action: 'deny' },
        // About documents, plug-ins and browsers that no longer exist.
        crossOriginOpenerPolicy: false,
        originAgentCluster: false,
        xDnsPrefetchControl: false,
        xDownloadOptions: false,
        xPermittedCrossDomainPolicies: false,
        xXssProtection: false,
      }),
    ),
    ['cache-control', 'no-store'],
  ]);
  return function securityHeaders({ res }, next) {
    res.setHeaders(headers);
    return next();
  };
};

/** The headers that a middleware of `node:http` sets. */
function headersOf(middleware: ReturnType<typeof helmet>): [name: string, value: string][] {
  const request = new IncomingMessage(new Socket());
  const answer = new ServerResponse(request);
  middleware(request, answer, () => undefined);
  return Object.entries(answer.getHeaders()).map(([name, value]) => [name, `${value}`]);
}
