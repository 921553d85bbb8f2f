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
