import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import autocannon from 'autocannon';
import pRetry from 'p-retry';
import { signHs256 } from '../../src/security/hmac.ts';
import { SECRET } from '../support/app.ts';
import { createMigratedDatabase } from '../support/database.ts';
import { mochaGlobalSetup, mochaGlobalTeardown } from '../support/global.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';

/**
 * Measures Rollcall and a bare server (`bare.ts`) on the same PostgreSQL: `npm run build && npm run benchmark`. The rounds
 * alternate, so that other load on the machine affects both. Compare the ratio: the other numbers depend on the machine.
 */
const ACCOUNTS = 10_000;
const CONNECTIONS = 32;
const WARM_UP_SECONDS = 12;
const ROUND_SECONDS = 5;
const ROUNDS = 3;

const CASES = {
  'GET /v1/me': { path: '/v1/me' },
  'GET /v1/users, 50 of 10,000': { path: '/v1/users?limit=50' },
  'PATCH /v1/me': {
    path: '/v1/me',
    method: 'PATCH',
    headers: { 'Content-Type': 'application/json' },
    body: () => JSON.stringify({ preferences: { theme: Math.random() } }),
  },
} as const;

type Case = { path: string; method?: 'PATCH'; headers?: Record<string, string>; body?: () => string };

await mochaGlobalSetup();
const database = await createMigratedDatabase();
try {
  await database.query(
    `insert into users (email, name, role, created_at)
     select 'u' || n || '@example.com', 'User ' || n, 'admin', now() - n * interval '1 second'
       from generate_series(1, ${ACCOUNTS}) n`,
  );
  await database.query('analyze users');
  // Production settings, except for the rate limit, which 32 accounts with thousands of requests a second would exceed, and
  // the access log, which the bare server does not have.
  const settings = {
    ENVIRONMENT: 'production',
    HOST: '127.0.0.1',
    RATE_LIMIT_REQUESTS: '0',
    RATE_LIMIT_HISTORY_BYTES: '0',
    LOG_LEVEL: 'warn',
  };
  const contenders = {
    rollcall: await start('dist/server.js', { DATABASE_URL: database.url, ...settings }),
    bare: await start('test/benchmark/bare.ts', { DATABASE_URL: database.url }),
  };
  console.log('| request | bare, 1/s | Rollcall, 1/s | ratio | bare p99, ms | Rollcall p99, ms |');
  console.log('| --- | ---: | ---: | ---: | ---: | ---: |');
  for (const [name, request] of Object.entries<Case>(CASES)) {
    const results: Record<string, autocannon.Result[]> = { rollcall: [], bare: [] };
    for (const round of Array(ROUNDS + 1).keys()) {
      for (const [contender, server] of Object.entries(contenders)) {
        const result = await load(server.url, request, round === 0 ? WARM_UP_SECONDS : ROUND_SECONDS);
        if (round > 0) results[contender]?.push(result);
      }
    }
    const rate = (contender: string) =>
      median((results[contender] ?? []).map(({ requests }) => requests.average));
    const p99 = (contender: string) => median((results[contender] ?? []).map(({ latency }) => latency.p99));
    const [ours, theirs] = [rate('rollcall'), rate('bare')];
    console.log(
      `| \`${name}\` | ${Math.round(theirs)} | ${Math.round(ours)} | ${(ours / theirs).toFixed(2)} | ${p99('bare')} | ${p99('rollcall')} |`,
    );
  }
  await Promise.all(Object.values(contenders).map(({ end }) => end('SIGTERM')));
} finally {
  await database.drop();
  await mochaGlobalTeardown();
}

/** Starts a server on a free port and waits until it answers. */
async function start(entry: string, env: NodeJS.ProcessEnv): Promise<ServerProcess & { url: string }> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await new Promise((closed) => probe.close(closed));
  const server = startServer({ ...env, PORT: `${port}` }, entry);
  const url = `http://127.0.0.1:${port}`;
  await pRetry(() => fetch(url), { retries: 50, minTimeout: 200, maxTimeout: 200 });
  return { ...server, url };
}

/** Puts load on one server, with a different account for each connection. */
async function load(url: string, { path, body, ...rest }: Case, seconds: number): Promise<autocannon.Result> {
  const tokens = await Promise.all(
    Array.from({ length: CONNECTIONS }, (_, n) => signHs256(SECRET, `u${n + 1}@example.com`, '1h')),
  );
  let next = 0;
  const result = await autocannon({
    url,
    connections: CONNECTIONS,
    duration: seconds,
    requests: [
      {
        path,
        ...rest,
        setupRequest: (request) => ({
          ...request,
          headers: { ...rest.headers, Authorization: `Bearer ${tokens[next++ % CONNECTIONS]}` },
          ...(body && { body: body() }),
        }),
      },
    ],
  });
  if (result.non2xx + result.errors > 0)
    throw new Error(`${result.non2xx} refusals, ${result.errors} errors`);
  return result;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
