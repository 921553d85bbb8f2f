import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';

/** A proxy between a client and PostgreSQL that a test can cut off, and that counts the statements passing through it. */
export interface DatabaseProxy {
  /** The database's URL through the proxy. */
  readonly url: string;
  /** How many statements have been sent since {@link reset}, by all or by those with this `application_name`. */
  statements(application?: string): number;
  reset(): void;
  /** How many connections of clients are open. */
  connections(): number;
  /**
   * Discards all data from now on, without closing a connection: a network that fell silent. With `answers`, only what the
   * database says: statements still arrive there.
   */
  silence(what?: 'answers'): void;
  /** Keeps back that the database is ready, on later connections, until it ends them: then both arrive in one piece. */
  hold(): void;
  /** Breaks every connection and refuses new ones. */
  cut(): Promise<void>;
  /** Accepts connections again, at the same address. */
  mend(): Promise<void>;
  /** Leads later connections to the server of another URL. */
  lead(url: string): void;
  close(): Promise<void>;
}

/**
 * Starts a proxy to the database at `url`. With `cut`, it accepts no connections until {@link DatabaseProxy.mend}; with `delayMs`, what
 * the database says arrives that much later.
 */
export async function startProxy(
  url: string,
  options: { cut?: boolean; delayMs?: number } = {},
): Promise<DatabaseProxy> {
  let target = new URL(url);
  const sockets = new Set<Socket>();
  const pipes = new Set<(what?: 'answers') => void>();
  let silent: 'answers' | boolean = false;
  let isHolding = false;
  const counts = new Map<string, number>();
  let server: Server | undefined;
  let port = 0;

  const serve = async () => {
    silent = false;
    server = createServer({ noDelay: true }, (client) => {
      const upstream = connect({ port: Number(target.port || 5432), host: target.hostname, noDelay: true });
      for (const socket of [client, upstream]) {
        sockets.add(socket);
        socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
      }
      client.on(
        'data',
        countStatements((application) => counts.set(application, (counts.get(application) ?? 0) + 1)),
      );
      const keepQuiet = (what?: 'answers') => {
        if (what === undefined) client.unpipe(upstream).resume();
        upstream.unpipe(client).resume();
      };
      client.pipe(upstream);
      if (isHolding) keepReadiness(upstream, client);
      else if (options.delayMs) upstream.pipe(later(options.delayMs)).pipe(client);
      else upstream.pipe(client);
      if (silent) keepQuiet(silent === 'answers' ? silent : undefined);
      pipes.add(keepQuiet);
      client.on('close', () => upstream.destroy());
      upstream.on('close', () => client.destroy());
    }).listen(port, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  };
  const cut = async () => {
    const closed = server && once(server, 'close');
    server?.close();
    for (const socket of sockets) socket.destroy();
    await closed;
    server = undefined;
  };

  await serve();
  if (options.cut) await cut();
  const via = new URL(url);
  via.host = `127.0.0.1:${port}`;
  return {
    url: via.href,
    statements: (application) =>
      application === undefined
        ? [...counts.values()].reduce((sum, count) => sum + count, 0)
        : (counts.get(application) ?? 0),
    connections: () => sockets.size / 2,
    reset: () => {
      counts.clear();
    },
    silence(what) {
      silent = what ?? true;
      for (const keepQuiet of pipes) keepQuiet(what);
    },
    hold() {
      isHolding = true;
    },
    cut,
    mend: serve,
    lead(other) {
      target = new URL(other);
    },
    close: cut,
  };
}

function later(ms: number): Transform {
  return new Transform({
    transform(chunk, _, done) {
      setTimeout(() => this.push(chunk), ms);
      done();
    },
    flush(done) {
      setTimeout(done, ms);
    },
  });
}

/** PostgreSQL's message `ReadyForQuery`, outside of a transaction. */
const READY = Buffer.from('Z\0\0\0\x05I');

function keepReadiness(database: Socket, client: Socket): void {
  const kept: Buffer[] = [];
  database
    .on('data', (chunk: Buffer) => {
      if (kept.length > 0 || chunk.includes(READY)) kept.push(chunk);
      else client.write(chunk);
    })
    .on('end', () => client.end(Buffer.concat(kept)));
}

/**
 * Parses the frontend's messages (PostgreSQL's manual, "Message Flow"): a start-up message without a type, then messages
 * with a type byte and a length. The former has the name of the application. A simple query (`Q`) and an execution of a prepared statement (`E`) each run a statement.
 */
function countStatements(found: (application: string) => void): (chunk: Buffer) => void {
  let pending = Buffer.alloc(0);
  let started = false;
  let application = '';
  return (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    for (;;) {
      const header = started ? 5 : 4;
      if (pending.length < header) return;
      const end = pending.readInt32BE(header - 4) + header - 4;
      if (pending.length < end) return;
      if (started && ['Q', 'E'].includes(String.fromCharCode(pending[0] ?? 0))) found(application);
      if (!started)
        application = /application_name\0([^\0]*)/.exec(pending.toString('utf8', 0, end))?.[1] ?? '';
      started = true;
      pending = pending.subarray(end);
    }
  };
}
