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

/** The ways to sign in: a token for an email, different for each `n`. */
export const SIGN_INS = {
  hs256: async (email: string, n = 0) => bearer(await signHs256(SECRET, email, `${3600 + n}s`)),
  es256: async (email: string, n = 0) =>
    bearer(
      await new SignJWT({ email, email_verified: true })
        .setProtectedHeader({ alg: 'ES256', kid: 'benchmark' })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setExpirationTime(`${3600 + n}s`)
        .sign(KEY.privateKey),
    ),
  authjs: async (email: string, n = 0): Promise<Person> => ({
    Cookie: `authjs.session-token=${await sessionOf({ token: { email, n } })}`,
  }),
} as const;

/** A way to sign in. */
export type SignInKind = keyof typeof SIGN_INS;

/** Everybody, once. */
export function people(kind: SignInKind): Promise<Person[]> {
  return Promise.all(Array.from({ length: PEOPLE }, (_, n) => SIGN_INS[kind](`u${n + 1}@example.com`)));
}

/** The admins, once. */
export function admins(): Promise<Person[]> {
  return Promise.all(Array.from({ length: ADMINS }, (_, n) => SIGN_INS.hs256(`a${n + 1}@example.com`)));
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

/** As many service tokens as there are admins, each new, of a service and with a scope. */
export async function services(url: string, scope: string): Promise<Person[]> {
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
