import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request that has come through. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/**
 * What happens to a request: it is refused before the service hears of it (`refuse`); the answer is lost, though the service has acted
 * (`lose`); the answer is cut off in its middle (`cut`); there is never an answer (`stall`); or something else answers.
 */
export type Fault =
  | 'refuse'
  | 'lose'
  | 'cut'
  | 'stall'
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string };

/** A proxy between a client and the service that a test can make fail. */
export interface FaultyProxy {
  readonly url: string;
  readonly seen: readonly SeenRequest[];
  /** The faults of the next requests, one each. */
  next(...faults: Fault[]): void;
  /** Cuts off every answer that is under way, such as a stream. */
  cut(): void;
  /** Leads later requests to another service. */
  lead(url: string): void;
  /** Resolves when the next request has come. */
  arrived(): Promise<void>;
  close(): Promise<void>;
}

/** Starts a proxy to the service at `target`. */
export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  let upstream = target;
  const seen: SeenRequest[] = [];
  const faults: Fault[] = [];
  const open = new Set<ServerResponse>();
  let wake: (() => void)[] = [];
  const server = createServer((incoming, outgoing) => {
    open.add(outgoing);
    outgoing.on('close', () => open.delete(outgoing));
    outgoing.on('error', () => undefined);
    const { method = '', url = '', headers } = incoming;
    seen.push({ method, path: url, headers });
    for (const resolve of wake.splice(0)) resolve();
    const fault = faults.shift();
    if (fault === 'refuse') outgoing.destroy();
    else if (fault === 'stall') incoming.resume();
    else if (typeof fault === 'object') outgoing.writeHead(fault.status, fault.headers).end(fault.body ?? '');
    else forward(incoming, outgoing, new URL(url, upstream), fault);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    next: (...given) => {
      faults.push(...given);
    },
    cut() {
      for (const outgoing of open) outgoing.destroy();
    },
    lead(url) {
      upstream = url;
    },
    arrived: () => new Promise((resolve) => wake.push(resolve)),
    async close() {
      wake = [];
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function forward(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  url: URL,
  fault: 'lose' | 'cut' | undefined,
): void {
  const { method, headers } = incoming;
  const sent = request(url, { method, headers: { ...headers, host: url.host } }, (answer) => {
    if (fault === 'lose') {
      answer.resume().on('end', () => outgoing.destroy());
      return;
    }
    outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
    if (fault === 'cut') {
      answer.once('data', (chunk: Buffer) => {
        outgoing.write(chunk.subarray(0, chunk.length / 2), () => outgoing.destroy());
      });
      return;
    }
    outgoing.flushHeaders();
    answer.pipe(outgoing);
    answer.on('error', () => outgoing.destroy());
  });
  sent.on('error', () => outgoing.destroy());
  outgoing.on('close', () => sent.destroy());
  incoming.pipe(sent);
}
