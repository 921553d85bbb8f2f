import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type JWTPayload, jwtVerify } from 'jose';
import pg from 'pg';

/**
 * The server that the benchmark compares Rollcall with: the same answers from `node:http`, `pg` with named statements
 * and `jose`, without a router, validation, history or units of work. Reads DATABASE_URL, AUTH_SECRET and PORT. With
 * CACHE_TOKENS=true, it keeps the claims of verified tokens, as Rollcall does.
 */
const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 10 });
const hmac = { name: 'HMAC', hash: 'SHA-256' };
const secret = Buffer.from(process.env['AUTH_SECRET'] ?? '');
const key = await crypto.subtle.importKey('raw', secret, hmac, false, ['verify']);

const verify = async (token: string) => (await jwtVerify(token, key, { algorithms: ['HS256'] })).payload;
const claimsOf = process.env['CACHE_TOKENS'] === 'true' ? await caching(verify) : verify;

const ACCOUNT = `select id, email, name, role, status, coalesce(preferences, '{}') as preferences, storage_mode as "storageMode",
  version, created_at as "createdAt", updated_at as "updatedAt", role_until as "roleUntil", nullif(last_seen_at, '-infinity') as "lastSeenAt"
  from users left join sightings on user_id = id`;

const find = (email: unknown) =>
  pool.query({ name: 'find', text: `${ACCOUNT} where email = $1`, values: [email] });
const list = () =>
  pool.query({ name: 'list', text: `${ACCOUNT} order by created_at desc, id desc limit 50` });
const patch = (id: number, preferences: object) =>
  pool.query({
    name: 'patch',
    text: `with changed as (
        update users set preferences = coalesce(preferences, '{}') || $2::jsonb, version = version + 1, updated_at = now()
         where id = $1 returning *
      ) select preferences from changed`,
    values: [id, preferences],
  });

const server = createServer((request, response) => {
  // The load generator hangs up in the middle of requests.
  answer(request, response).catch(() => response.destroy());
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
  const token = request.headers.authorization?.slice('Bearer '.length);
  if (token === undefined) return response.writeHead(401).end();
  const claims = await claimsOf(token);
  const [account] = (await find(claims['email'])).rows;
  const send = (body: unknown) => {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(body));
  };
  if (request.method === 'PATCH')
    return send((await patch(account.id, JSON.parse(await textOf(request)))).rows[0].preferences);
  if (request.url === '/v1/me') return send(account);
  return send({ items: (await list()).rows, nextCursor: null });
}
server.listen(Number(process.env['PORT']), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));

async function caching(check: (token: string) => Promise<JWTPayload>) {
  // Only here: the other server does not need it.
  const { LRUCache } = await import('lru-cache');
  const cache = new LRUCache<string, JWTPayload>({ max: 30_000 });
  return async (token: string) => {
    const found = cache.get(token);
    if (found?.exp !== undefined && found.exp * 1_000 > Date.now()) return found;
    const claims = await check(token);
    cache.set(token, claims);
    return claims;
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}
