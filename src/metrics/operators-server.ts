import { createServer, type Server, type ServerResponse } from 'node:http';

/** An answer of the port for operators. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** The paths of the port. */
const PATHS = ['/metrics', '/healthz', '/readyz'] as const;
type Path = (typeof PATHS)[number];

/** What answers at each path. The query is as it came, without its question mark. */
export type Answers = Readonly<Record<Path, (query: string) => Promise<Answer>>>;

/** How long a request may take to arrive, in milliseconds: it has no body. */
const REQUEST_MS = 5_000;

/** How long an idle connection is kept, in milliseconds. */
const KEEP_ALIVE_MS = 65_000;

/** The most connections: a few programs ask, every few seconds. */
const MAX_CONNECTIONS = 100;

/**
 * Creates the server of the port for operators. It knows no callers: whoever reaches the port may read. It answers `GET` and
 * `HEAD`, and those who ask for the same at the same time with one answer. Requests wait until there are `answers`.
 */
export function operatorsServer(answers: Promise<Answers>, onError: (error: unknown) => void): Server {
  const answering = new Map<string, Promise<Answer>>();
  const answerOnce = (path: Path, query: string): Promise<Answer> => {
    const key = `${path}?${query}`;
    const known = answering.get(key);
    if (known !== undefined) return known;
    const answer = answers.then((by) => by[path](query)).finally(() => answering.delete(key));
    answering.set(key, answer);
    return answer;
  };
  const server = createServer(
    { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, connectionsCheckingInterval: 1_000 },
    ({ method = '', url = '' }, response) => {
      const [asked = '', query = ''] = url.split('?', 2);
      const path = PATHS.find((one) => one === asked);
      if (path === undefined) return send(response, text(404, 'not found'));
      if (method !== 'GET' && method !== 'HEAD') {
        response.setHeader('Allow', 'GET, HEAD');
        return send(response, text(405, 'method not allowed'));
      }
      answerOnce(path, query).then(
        (answer) => send(response, answer),
        (error: unknown) => {
          onError(error);
          send(response, text(500, 'internal error'));
        },
      );
    },
  );
  // Longer than Prometheus pauses between scrapes, by its default of a minute.
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

function text(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${body}\n` };
}

function send(response: ServerResponse, { status, type, body }: Answer): void {
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(body);
}
