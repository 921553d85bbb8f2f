import { randomUUID } from 'node:crypto';
import { generateKeyPair, SignJWT } from 'jose';
import { signHs256 } from '../../src/security/hmac.ts';
import { SECRET } from '../support/app.ts';
import { sessionOf } from '../support/authjs.ts';
import { ADMINS, PEOPLE } from './database.ts';

/** The headers of a person's requests. */
export type Person = Readonly<Record<string, string>>;

/** A key of the provider that signs ES256 in the benchmark. */
export const KEY = await generateKeyPair('ES256', { extractable: true });
/** The issuer of its tokens. */
export const ISSUER = 'https://id.example.com';
/** The audience of its tokens. */
export const AUDIENCE = 'https://api.example.com';

const bearer = (token: string): Person => ({ Authorization: `Bearer ${token}` });

/** Longer than any run, in seconds. */
const LIFETIME = 86_400;

/** The ways to sign in: a token for an email, different for each `n`. */
export const SIGN_INS = {
  hs256: async (email: string, n = 0) => bearer(await signHs256(SECRET, email, `${LIFETIME + n}s`)),
  es256: async (email: string, n = 0) =>
    bearer(
      await new SignJWT({ email, email_verified: true })
        .setProtectedHeader({ alg: 'ES256', kid: 'benchmark' })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setExpirationTime(`${LIFETIME + n}s`)
        .sign(KEY.privateKey),
    ),
  authjs: async (email: string, n = 0): Promise<Person> => ({
    Cookie: `authjs.session-token=${await sessionOf({ token: { email, n } })}`,
  }),
} as const;

/** A way to sign in. */
export type SignInKind = keyof typeof SIGN_INS;

/** Everybody, once. A kind has the same tokens in all rounds: a server has seen them after its warm-up. */
export function people(kind: SignInKind): Promise<Person[]> {
  return kept(kind, () => signIn(kind, PEOPLE, 'u'));
}

/** The admins, once. */
export function admins(): Promise<Person[]> {
  return kept('admins', () => signIn('hs256', ADMINS, 'a'));
}

/** As many service tokens of a server as there are admins, each of a service of its own, with the right to read accounts. */
export function services(url: string): Promise<Person[]> {
  return kept(url, () => createServices(url, 'users:read'));
}

const keptPeople = new Map<string, Promise<Person[]>>();

function kept(key: string, make: () => Promise<Person[]>): Promise<Person[]> {
  const found = keptPeople.get(key) ?? make();
  keptPeople.set(key, found);
  return found;
}

function signIn(kind: SignInKind, count: number, letter: string): Promise<Person[]> {
  return Promise.all(
    Array.from({ length: count }, (_, n) => SIGN_INS[kind](`${letter}${n + 1}@example.com`)),
  );
}

/** As many accounts as `fill` makes, as NDJSON for an import. */
export function fileOf(accounts: number): string {
  return Array.from({ length: accounts }, (_, n) =>
    JSON.stringify({
      email: `${n < ADMINS ? `a${n + 1}` : `u${n - ADMINS + 1}`}@example.com`,
      name: `User ${n + 1}`,
      role: n < ADMINS ? 'admin' : 'user',
      preferences: { theme: 'dark', language: 'en' },
    }),
  ).join('\n');
}

async function createServices(url: string, scope: string): Promise<Person[]> {
  const found: Person[] = [];
  for (const admin of await admins()) {
    const answer = await fetch(`${url}/v1/service-tokens`, {
      method: 'POST',
      headers: { ...admin, 'Content-Type': 'application/json' },
      body: JSON.stringify({ name: `benchmark-${randomUUID()}`, scopes: [scope], expiresAt: null }),
    });
    const { token } = (await answer.json()) as { token?: string };
    if (token === undefined) throw new Error(`${url} made no service token: ${answer.status}.`);
    found.push(bearer(token));
  }
  return found;
}

/** Everybody again and again, each time with a token that nobody has seen: `count` of them, no two alike in all calls. */
export async function strangers(kind: SignInKind, count: number): Promise<Person[]> {
  const found: Person[] = [];
  for (let n = 0; n < count; n++) {
    issued++;
    found.push(await SIGN_INS[kind](`u${(issued % PEOPLE) + 1}@example.com`, issued));
  }
  return found;
}

let issued = 0;
