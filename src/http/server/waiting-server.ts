import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { Refusal } from '../../domain/refusal.ts';
import { problemOf } from '../answer/problem.ts';

/** The path of the probe that asks whether the process lives, also behind a base path. */
const ALIVE = /^(?:\/[^?]*)?\/healthz\/?(?:\?|$)/;

/**
 * A server for the time in which a start waits: the process is alive, and every other request gets the refusal that says what it
 * waits for. Not for traffic, which a balancer sends only once `/readyz` answers 200.
 */
export function waitingServer(refusal: () => Refusal): Server {
  return createServer((request, response) => {
    request.resume();
    const requestId = randomUUID();
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Request-Id', requestId);
    // The process listens anew when it is ready.
    response.setHeader('Connection', 'close');
    if (ALIVE.test(request.url ?? '')) {
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({ status: 'alive' }));
      return;
    }
    const problem = problemOf(refusal(), requestId);
    response.statusCode = problem.status;
    response.setHeader('Content-Type', 'application/problem+json');
    response.setHeader('Retry-After', '1');
    response.end(JSON.stringify(problem));
  });
}
